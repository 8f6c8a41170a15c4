"""Request bodies on their way up: chunked, or as long as was said and not a byte more or less (RFC 9112 §6)."""

from __future__ import annotations

from typing import Protocol

from ..errors import BadRequest

LAST_CHUNK = b"0\r\n\r\n"


class RequestBody(Protocol):
    """What the caller sends. ``length`` in bytes, None where it is not known and chunks must do."""

    @property
    def length(self) -> int | None: ...

    async def read(self) -> bytes:
        """The next piece, empty at the end; raises whatever ends the request."""
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

    async def read(self) -> tuple[bytes, ...]:
        """The next bytes to write, in parts that need no joining; nothing is left once ``ended``."""
        piece = await self._body.read()
        if self._remaining is None:
            self.ended = not piece
            return (b"%x\r\n" % len(piece), piece, b"\r\n") if piece else (LAST_CHUNK,)
        if not piece:
            raise BadRequest("the request body ended before its Content-Length")
        if len(piece) > self._remaining:
            raise BadRequest("the request body is longer than its Content-Length")
        self._remaining -= len(piece)
        self.ended = not self._remaining
        return (piece,)
