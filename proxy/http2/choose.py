"""Which codec is used. Imported where HTTP/2 is turned on alone: the codecs' packages are an extra."""

from __future__ import annotations

from .codec import Codec
from .options import CodecOptions


def make_codec(options: CodecOptions) -> Codec:
    """The codec of one connection."""
    from .h2_codec import H2Codec  # noqa: PLC0415 - an extra

    return H2Codec(options)
