"""A request's body on its way up, as far as the peer has room for it (RFC 9113 §5.2)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from ...http.headers import Fields
from .body import RepeatableBody
from .carrier import Carrier

TURN = 16 * 1024  # bytes that one stream sends before it is the next one's turn: a frame

_NOTHING = memoryview(b"")


class Upload:
    """One piece of the body is here at once. ``shut_since`` is a loop time: since when none of it has left.

    It is infinite while nothing waits to leave.
    """

    __slots__ = (
        "_body",
        "_carrier",
        "_loop",
        "_pending",
        "_sent",
        "_stream_id",
        "_task",
        "_trailers",
        "shut_since",
    )

    def __init__(self, carrier: Carrier, stream_id: int, body: RepeatableBody) -> None:
        self.shut_since = math.inf
        self._carrier = carrier
        self._stream_id = stream_id
        self._body = body
        self._loop = asyncio.get_running_loop()
        self._pending = _NOTHING
        self._trailers: Fields = ()
        self._sent: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def waits(self) -> bool:
        """Whether some of a piece is here for want of room."""
        return len(self._pending) > 0

    def start(self, tell: Callable[[Exception | None], None]) -> None:
        """Send all of it in a task; ``tell`` hears of its end, or of its error, unless it is stopped before."""

        def conclude(task: asyncio.Task[None]) -> None:
            if not task.cancelled():
                error = task.exception()
                if error is None or isinstance(error, Exception):
                    tell(error)

        self._task = self._loop.create_task(self._send())
        self._task.add_done_callback(conclude)

    def stop(self) -> None:
        """Send no more of it."""
        task, self._task = self._task, None  # it refers to us
        self._pending = _NOTHING
        self.shut_since = math.inf
        self._carrier.unblock(self)
        if task is not None:
            task.cancel()

    def push(self) -> bool:
        """Send what fits, at most a turn; whether anything was sent."""
        room = self._carrier.room(self._stream_id)
        if room <= 0:
            return False
        size = min(TURN, room)
        part, self._pending = self._pending[:size], self._pending[size:]
        self._send_part(bytes(part))
        if self._pending:
            self.shut_since = self._loop.time()
        else:
            self.shut_since = math.inf
            if self._sent is not None and not self._sent.done():
                self._sent.set_result(None)
        return True

    def _send_part(self, part: bytes) -> None:
        codec = self._carrier.codec
        last = self._body.ended and not self._pending
        if part or not self._trailers:
            codec.send_data(self._stream_id, part, ended=last and not self._trailers)
        if last and self._trailers:
            codec.send_trailers(self._stream_id, self._trailers)
        self._carrier.flush()

    async def _send(self) -> None:
        body = self._body
        while not body.ended:
            piece = await body.read()
            if body.ended:
                self._trailers = body.trailers
            if piece:
                await self._send_piece(piece)
            elif body.ended:
                self._send_part(b"")

    async def _send_piece(self, piece: bytes) -> None:
        self._pending = memoryview(piece)
        while self._pending:
            if self.push():
                continue
            self.shut_since = self._loop.time()
            self._sent = self._loop.create_future()
            self._carrier.block(self)
            await self._sent
