"""The connection, as far as what it carries needs it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from ...http2.codec import Codec
from ..options import Options


class Sender(Protocol):
    """Who has something to send on a stream."""

    @property
    def waits(self) -> bool:
        """Whether some of it is here for want of room."""
        ...

    def push(self) -> bool:
        """Send what fits, at most a turn; whether anything was sent."""
        ...


class Carrier(Protocol):
    """``served``: it has brought a response before."""

    codec: Codec
    options: Options
    served: bool

    def room(self, stream_id: int) -> int:
        """Bytes that may be sent on the stream now."""
        ...

    def block(self, sender: Sender) -> None:
        """Have its ``push`` called once there is room."""
        ...

    def unblock(self, sender: Sender) -> None:
        """It waits no more, if it did."""
        ...

    def flush(self) -> None:
        """Write what the codec has."""
        ...

    def flush_soon(self) -> None:
        """The same, with whatever else comes up within this turn of the loop."""
        ...

    def doubt(self, since: float) -> None:
        """A stream has waited in vain since then (loop time)."""
        ...

    def forget(self, stream_id: int, user: Hashable) -> None:
        """The stream, which had a place of ``user``'s, is over."""
        ...
