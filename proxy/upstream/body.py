"""Request bodies on their way up: chunked, or as long as was said and not a byte more or less (RFC 9112 §6)."""

from __future__ import annotations

from typing import Final, Protocol

from ..errors import BadRequest
from ..http.headers import Fields

LAST_CHUNK: Final = b"0\r\n\r\n"


class RequestBody(Protocol):
    """What the caller sends. ``length`` in bytes, None where it is not known and chunks must do."""

    @property
    def length(self) -> int | None: ...

    @property
    def whole(self) -> bool:
        """Whether the last piece has been read, as far as that is known."""
        ...

    @property
    def trailers(self) -> Fields:
        """Fields to send behind the body, once that has been read to its end; on HTTP/1.1 nobody asks for them."""
        ...

    async def read(self) -> bytes:
        """The next piece, empty at the end; raises whatever ends the request. Cancelled, it has taken nothing."""
        ...


class FramedBody:
    """A request body as it goes on the wire.

    One that is not as long as its head says would be read as the next request, or swallow that one:
    BadRequest.
    """

    __slots__ = ("_body", "_remaining", "ended")

    def __init__(self, body: RequestBody) -> None:
        self._body = body
        self._remaining = body.length
        self.ended = body.length == 0

    async def begin(self, size: int) -> bytes:
        """The first bytes to write: all of the body, or at least its first ``size`` bytes."""
        gathered = bytearray()  # a list of many small pieces takes far more memory than they hold
        while not self.ended and len(gathered) < size:
            gathered += await self._take()
        return b"".join(self._frame(gathered))

    async def read(self) -> tuple[bytes | bytearray, ...]:
        """The next bytes to write, in parts that need no joining; nothing is left once ``ended``."""
        return self._frame(await self._take())

    async def _take(self) -> bytes:
        """The next piece as it came; empty only where the end of a chunked body is."""
        piece = await self._body.read()
        if self._remaining is None:
            self.ended = not piece
            return piece
        if not piece:
            raise BadRequest("the request body ended before its Content-Length")
        if len(piece) > self._remaining:
            raise BadRequest("the request body is longer than its Content-Length")
        self._remaining -= len(piece)
        self.ended = not self._remaining
        return piece

    def _frame(self, piece: bytes | bytearray) -> tuple[bytes | bytearray, ...]:
        """``piece`` on the wire, and the end of the body behind it once that has come."""
        if self._remaining is not None:
            return (piece,)
        chunk = (b"%x\r\n" % len(piece), piece, b"\r\n") if piece else ()
        return (*chunk, LAST_CHUNK) if self.ended else chunk
