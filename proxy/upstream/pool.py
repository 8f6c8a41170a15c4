"""The connections to one upstream: bounded in number, reused last in first out, none of them for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Hashable, Iterable
from typing import Final

from ..errors import Overloaded, UpstreamBroken, UpstreamProtocolError
from ..http.headers import Field, build_request_head
from ..runtime import Sweep
from .body import FramedBody, RequestBody
from .connection import Connection, Unanswered
from .options import Options
from .origin import Origin
from .places import Places
from .response import Response

IDLE_EXPIRY: Final = 4.0  # s: below the 5 s after which common servers close an idle connection
MAX_AGE: Final = 300.0  # s: names are resolved anew at least this often
# Bytes: waited for before a connection is taken, so that a slow caller holds none.
SMALL_BODY: Final = 64 * 1024


class Upstream:
    """A pool of connections to one origin, made and used on one running loop.

    ``sweep`` must run. ``origin`` may be connected to outside the pool as well.
    """

    def __init__(self, origin: Origin, options: Options, sweep: Sweep) -> None:
        self.origin = origin
        self.options = options
        self._sweep = sweep
        self._loop = asyncio.get_running_loop()
        self._places = Places(options.max_connections, options.connect)
        self._busy: dict[Connection, Hashable] = {}  # and in whose place each is
        self._idle: list[Connection] = []  # the one that was used last is the last
        sweep.add(self._check_deadlines)

    @property
    def active(self) -> int:
        """Connections that carry a request, are being opened for one, or are used outside the pool."""
        return self._places.taken

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        return self._places.waiting

    def send(
        self,
        method: str,
        target: bytes,
        fields: Iterable[Field],
        *,
        body: RequestBody | None,
        idempotent: bool,
        user: Hashable = None,
    ) -> Awaitable[Response]:
        """``send_message`` of a head made of these; ``fields`` frame ``body``."""
        head = build_request_head(method, target, fields)
        return self.send_message(head, method=method, body=body, idempotent=idempotent, user=user)

    async def send_message(
        self, head: bytes, *, method: str, body: RequestBody | None, idempotent: bool, user: Hashable = None
    ) -> Response:
        """Send a request and wait for the head of its response.

        ``head`` is the whole request head, its framing fit for ``body``. An ``idempotent`` request without a
        body is sent once more, on a new connection, where one that had served before turns out to be closed
        (RFC 9110 §9.2.2). ``user`` is whose share of the connections it counts in; None is the proxy itself.
        Raises UpstreamError, Overloaded, and what ``body`` raises. Cancelled, the connection is closed.
        """
        framed = None
        if body is not None:
            framed = FramedBody(body)
            head += await framed.begin(SMALL_BODY)
        bodiless = method == "HEAD"
        if not self._places.take(user):
            await self._places.wait(user)
        connection = self._take_idle(user) or await self._open(user)
        repeatable = connection.served and body is None and idempotent
        while True:
            try:
                response = connection.send(head, bodiless=bodiless, body=framed)
                while not response.status:
                    await response.wait()
                return response
            except UpstreamBroken as error:
                # Within the very read that brought the head: nobody has seen any of it.
                raise UpstreamProtocolError(str(error)) from error
            except Unanswered:
                if not repeatable:
                    raise
            repeatable = False
            await self.enter(user)
            connection = await self._open(user)

    async def enter(self, user: Hashable) -> None:
        """Take a place for a connection that is opened outside the pool; ``leave`` gives it back. Raises Overloaded."""
        if not self._places.take(user):
            await self._places.wait(user)
        self._make_room()

    def leave(self, user: Hashable) -> None:
        """The connection that ``enter`` was called for is gone."""
        self._places.leave(user)

    async def aclose(self) -> None:
        """Close every connection; whoever waits for one is refused, whoever uses one sees it break."""
        self._sweep.discard(self._check_deadlines)
        self._places.close()
        for connection in (*self._idle, *self._busy):
            connection.abort()

    # -- what connections say

    def reuse(self, connection: Connection) -> None:
        """It is kept for the next request, and its place is free."""
        connection.idle_since = self._loop.time()
        if self._places.closed or connection.idle_since - connection.opened_at > MAX_AGE:
            connection.abort()
        else:
            user = self._busy.pop(connection)
            self._idle.append(connection)
            self._places.leave(user)

    def forget(self, connection: Connection) -> None:
        """It is gone, and its place free if it had one."""
        if connection in self._busy:
            self._places.leave(self._busy.pop(connection))
        else:
            self._idle.remove(connection)

    # -- within the pool

    def _take_idle(self, user: Hashable) -> Connection | None:
        """The connection that was used last, of those that can carry another request, in a place of ``user``'s."""
        while self._idle:
            connection = self._idle[-1]
            if connection.is_clean():
                self._idle.pop()
                self._busy[connection] = user
                return connection
            connection.abort()
        return None

    async def _open(self, user: Hashable) -> Connection:
        """Open a connection in a place of ``user``'s."""
        if self._places.closed:
            self._places.leave(user)
            raise Overloaded("the proxy is closing")
        connection = Connection(self, self.options)
        self._busy[connection] = user
        try:
            await self.origin.connect(connection, self.options.connect)
        except BaseException:
            connection.abort()
            raise
        return connection

    def _make_room(self) -> None:
        """No more connections than places: an idle one goes for one that is opened beside it."""
        if self._idle and self._places.taken + len(self._idle) > self._places.limit:
            self._idle[0].abort()

    def _check_deadlines(self, now: float) -> None:
        for connection in tuple(self._busy):
            connection.check_deadlines(now)
        while self._idle and now - self._idle[0].idle_since > IDLE_EXPIRY:
            self._idle[0].abort()
        self._places.expire(now)
