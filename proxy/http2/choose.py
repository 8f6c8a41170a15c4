"""Which codec is used: h2's. Imported only where HTTP/2 is turned on, since its packages are an extra.

``zttp`` is four times as fast behind the same port, and passes the same tests, which still compare the two. It is
not offered, because of what version 0.0.35 does and its users cannot change. As a server it ends every connection
behind 4096 streams, and as either side behind 256 that were reset, with all that is under way. Trailers that arrive
behind a reset end the connection. It shows neither ``:scheme`` nor whether ``Host`` was repeated, so that rules of
ours cannot judge them. And a fault in its native code would end the process, with everybody's connections.
"""

from __future__ import annotations

from .codec import Codec
from .options import CodecOptions


def make_codec(options: CodecOptions) -> Codec:
    """The codec of one connection."""
    from .h2_codec import H2Codec  # noqa: PLC0415 - an extra

    return H2Codec(options)
