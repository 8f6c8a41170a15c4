"""The connections to one upstream: bounded in number, reused last in first out, none of them for ever."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import NamedTuple

from ..config import models
from ..errors import Overloaded
from ..sweep import Sweep
from .body import FramedBody, RequestBody
from .connection import Connection, Unanswered
from .origin import Origin, parse_origin
from .response import Response

IDLE_EXPIRY = 4.0  # s: below the 5 s after which common servers close an idle connection
MAX_AGE = 300.0  # s: names are resolved anew at least this often
WAITING_PER_CONNECTION = 4  # more could hardly be served within the time a caller may wait
SMALL_BODY = 64 * 1024  # bytes: waited for before a connection is taken, so that a slow caller holds none


class Waiter(NamedTuple):
    """A caller in the queue; its turn brings a connection, or None for the right to open one."""

    turn: asyncio.Future[Connection | None]
    deadline: float


class Upstream:
    """A pool of connections to one origin, made and used on one running loop.

    ``place``: ``http://…``, ``https://…`` or ``unix:/path.sock``, ValueError for any other; or an origin that
    knows its own TLS. ``sweep`` must run. ``origin`` may be connected to outside the pool as well.
    """

    def __init__(
        self,
        place: str | Origin,
        *,
        timeouts: models.Timeouts,
        max_connections: int,
        tls: models.UpstreamTLS | None,
        sweep: Sweep,
    ) -> None:
        self.origin = place if isinstance(place, Origin) else parse_origin(place, tls)
        self._timeouts = timeouts
        self._max_connections = max_connections
        self._sweep = sweep
        self._loop = asyncio.get_running_loop()
        self._size = 0  # connections open, being opened, or promised to a caller
        self._busy: set[Connection] = set()
        self._idle: deque[Connection] = deque()  # the one that was used last is on the right
        self._waiting: deque[Waiter] = deque()
        self._closed = False
        sweep.add(self._check_deadlines)

    @property
    def active(self) -> int:
        """Connections that carry a request, or are being opened for one."""
        return self._size - len(self._idle)

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        return len(self._waiting)

    async def send(self, head: bytes, *, method: str, body: RequestBody | None, idempotent: bool) -> Response:
        """Send a request and wait for the head of its response.

        ``head`` is the whole request head, its framing fit for ``body``. An ``idempotent`` request without a
        body is sent once more, on a new connection, where one that had served before turns out to be closed
        (RFC 9110 §9.2.2). Raises UpstreamError, Overloaded, and what ``body`` raises. Cancelled, the
        connection is closed.
        """
        framed = None
        if body is not None:
            framed = FramedBody(body)
            if body.length is not None and 0 < body.length <= SMALL_BODY:
                head = b"".join((head, *await framed.read()))
        bodiless = method == "HEAD"
        connection = self._take_idle() or await self._acquire()
        repeatable = connection.served and body is None and idempotent
        try:
            response = connection.send(head, bodiless=bodiless, body=framed)
            while not response.status:
                await response.wait()
        except Unanswered:
            if not repeatable:
                raise
            response = (await self._acquire(new=True)).send(head, bodiless=bodiless, body=None)
            while not response.status:
                await response.wait()
        return response

    async def aclose(self) -> None:
        """Close every connection; whoever waits for one is refused, whoever uses one sees it break."""
        self._closed = True
        self._sweep.discard(self._check_deadlines)
        for waiter in self._waiting:
            refuse(waiter, "the proxy is closing")
        self._waiting.clear()
        for connection in (*self._idle, *self._busy):
            connection.abort()

    # -- what connections say

    def reuse(self, connection: Connection) -> None:
        """It goes to the first caller in the queue, else it is kept idle."""
        connection.idle_since = self._loop.time()
        if self._closed or connection.idle_since - connection.opened_at > MAX_AGE:
            connection.abort()
        elif not (self._waiting and self._give_turn(connection)):
            self._busy.discard(connection)
            self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """Its place goes to the first caller in the queue, else it is free."""
        if connection in self._busy:
            self._busy.discard(connection)
        else:
            self._idle.remove(connection)
        self._free_place()

    # -- within the pool

    def _take_idle(self) -> Connection | None:
        """The connection that was used last, of those that can carry another request."""
        while self._idle:
            connection = self._idle.pop()
            self._busy.add(connection)
            if connection.is_clean():
                return connection
            connection.abort()
        return None

    async def _acquire(self, *, new: bool = False) -> Connection:
        """A connection to open or to wait for; none that has served before if it must be ``new``."""
        while not self._closed:
            if self._size < self._max_connections:
                self._size += 1
                return await self._open()
            connection = await self._wait_for_turn()
            if connection is None:
                return await self._open()
            if connection.is_clean() and not new:
                return connection
            connection.abort()
        raise Overloaded("the proxy is closing")

    async def _open(self) -> Connection:
        """Open a connection in a place that is ours already."""
        connection = Connection(self, self._timeouts)
        self._busy.add(connection)
        try:
            await self.origin.connect(connection, self._timeouts.connect)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _wait_for_turn(self) -> Connection | None:
        if len(self._waiting) >= WAITING_PER_CONNECTION * self._max_connections:
            raise Overloaded("too many requests wait for a connection to the upstream")
        waiter = Waiter(self._loop.create_future(), self._loop.time() + self._timeouts.connect)
        self._waiting.append(waiter)
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            self._leave_queue(waiter)
            raise

    def _leave_queue(self, waiter: Waiter) -> None:
        if waiter.turn.cancelled():
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiter)
        elif waiter.turn.exception() is None:  # its turn came in the same moment: pass it on
            connection = waiter.turn.result()
            if connection is None:
                self._free_place()
            elif connection.is_clean():
                self.reuse(connection)
            else:
                connection.abort()

    def _give_turn(self, connection: Connection | None) -> bool:
        while self._waiting:
            turn = self._waiting.popleft().turn
            if not turn.done():
                turn.set_result(connection)
                return True
        return False

    def _free_place(self) -> None:
        if not self._give_turn(None):
            self._size -= 1

    def _check_deadlines(self, now: float) -> None:
        for connection in tuple(self._busy):
            connection.check_deadlines(now)
        while self._idle and now - self._idle[0].idle_since > IDLE_EXPIRY:
            self._idle[0].abort()
        while self._waiting and now > self._waiting[0].deadline:
            refuse(self._waiting.popleft(), "no connection to the upstream became free in time")


def refuse(waiter: Waiter, reason: str) -> None:
    if not waiter.turn.done():
        waiter.turn.set_exception(Overloaded(reason))
