"""Request bodies on their way up, as long as was said; their beginning is kept to be sent again."""

from __future__ import annotations

import asyncio

from ...errors import BadRequest
from ...http.headers import Fields
from ..body import RequestBody

MAX_KEPT = 16 * 1024  # bytes: more than most calls of gRPC have
MAX_PIECES = 64  # each is an object of its own


class RepeatableBody:
    """One that is not as long as its Content-Length would make its message malformed (RFC 9113 §8.1.1): BadRequest.

    ``ended`` once the last piece has been read.
    """

    __slots__ = ("_body", "_free", "_kept", "_reading", "_remaining", "_replay", "ended")

    def __init__(self, body: RequestBody) -> None:
        self._body = body
        self._remaining = body.length
        self._kept: list[bytes] | None = []  # None where not all that was read is here any more
        self._replay: list[bytes] = []  # what comes again, its first piece at the end
        self._reading = False
        self._free: asyncio.Future[None] | None = None
        self.ended = False

    @property
    def trailers(self) -> Fields:
        """Behind the body, once that has ended."""
        return self._body.trailers

    async def read(self) -> bytes:
        """The next piece; an empty one is the last."""
        if self._replay:
            piece = self._replay.pop()
        else:
            piece = await self._read()
        self.ended = not self._replay and (not piece or self._body.whole)
        return piece

    def rewind(self) -> bool:
        """Begin again; False where that cannot be."""
        if self._kept is None:
            return False
        self._replay = self._kept[::-1]
        self.ended = False
        return True

    def forget(self) -> None:
        """It will not be sent again."""
        self._kept = None

    async def let_go(self) -> None:
        """Until nobody reads: who did, and was cancelled, may not know it yet."""
        if self._reading:
            self._free = asyncio.get_running_loop().create_future()
            await self._free

    async def _read(self) -> bytes:
        self._reading = True
        try:
            piece = await self._body.read()
        finally:
            self._reading = False
            if self._free is not None and not self._free.done():
                self._free.set_result(None)
        self._measure(piece)
        self._keep(piece)
        return piece

    def _measure(self, piece: bytes) -> None:
        if self._remaining is None:
            return
        self._remaining -= len(piece)
        if self._remaining < 0:
            raise BadRequest("the request body is longer than its Content-Length")
        if self._remaining and (not piece or self._body.whole):
            raise BadRequest("the request body ended before its Content-Length")

    def _keep(self, piece: bytes) -> None:
        if self._kept is not None:
            self._kept.append(piece)
            if len(self._kept) > MAX_PIECES or sum(map(len, self._kept)) > MAX_KEPT:
                self._kept = None
