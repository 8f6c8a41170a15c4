"""The connections to one upstream that speaks HTTP/2: few, each for many requests, none of them for ever."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Hashable, Iterable

from ...errors import (
    Overloaded,
    UpstreamBroken,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from ...http.headers import Field
from ...http2.choose import make_codec
from ...http2.credit import STREAM_WINDOW
from ...http2.messages import build_request
from ...http2.options import CodecOptions
from ...runtime import Sweep
from ..body import RequestBody
from ..options import Options
from ..origin import Origin
from ..places import Places
from ..pool import MAX_AGE
from .body import RepeatableBody
from .connection import MAX_STREAMS, Connection
from .failure import Failure, NotProcessed, Unanswered, describe
from .response import Response

MAX_CONNECTIONS = 8  # that take requests: where a peer allows few on each, fewer are sent at once
IDLE_EXPIRY = 50.0  # s: below the 60 s after which common balancers forget a silent connection
# Readers who do not read hold up nobody else on their connection, as long as these are all that there may be.
_CODEC = CodecOptions(client=True, max_held=2 * MAX_STREAMS * STREAM_WINDOW)


class Http2Upstream:
    """A pool of connections to one origin, made and used on one running loop; each request has a place.

    ``sweep`` must run. ``origin`` may be connected to outside the pool as well, by HTTP/1.1.
    """

    def __init__(self, origin: Origin, options: Options, sweep: Sweep) -> None:
        self.origin = origin
        self.options = options
        self._sweep = sweep
        self._loop = asyncio.get_running_loop()
        self._places = Places(options.max_connections, options.connect)
        self._connections: list[Connection] = []  # the oldest first
        self._opening: asyncio.Task[Failure | None] | None = None
        sweep.add(self._check_deadlines)

    @property
    def active(self) -> int:
        """Requests under way, and connections used outside the pool."""
        return self._places.taken

    @property
    def idle(self) -> int:
        """Connections that carry no request."""
        return sum(connection.idle for connection in self._connections)

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        return self._places.waiting

    async def send(
        self,
        method: str,
        target: bytes,
        fields: Iterable[Field],
        *,
        body: RequestBody | None,
        idempotent: bool,
        user: Hashable = None,
    ) -> Response:
        """Send a request and wait for the head of its response; its own head goes at once.

        It is sent once more where the upstream says that it has not acted on it and the body can begin again; and
        where the connection, which had served before, is lost without a word, if it is ``idempotent`` and has no
        body (RFC 9113 §8.7). ``user`` is whose share of the places it counts in; None is the proxy itself.
        Raises UpstreamError, Overloaded, and what ``body`` raises. Cancelled, the stream is reset.
        """
        head = build_request(method, target, fields, secure=self.origin.secure)
        repeatable = RepeatableBody(body) if body is not None else None
        youngest = -math.inf  # what is as old as the connection that has failed is not tried again
        repeated = False
        while True:
            await self.enter(user)
            while (connection := await self._find(youngest, user)) is None:
                await self.enter(user)
            served = connection.served
            response = connection.send(head, bodiless=method == "HEAD", body=repeatable, user=user)
            try:
                while not response.status:
                    await response.wait()
                return response
            except UpstreamBroken as error:
                # Within the read that brought the head: nobody has seen any of it.
                raise UpstreamProtocolError(str(error)) from error
            except NotProcessed:
                if repeated or not await _begin_again(repeatable):
                    raise
            except Unanswered:
                if repeated or repeatable is not None or not (idempotent and served):
                    raise
            youngest, repeated = connection.opened_at, True

    async def enter(self, user: Hashable) -> None:
        """Take a place; ``leave`` gives it back. Raises Overloaded."""
        if not self._places.take(user):
            await self._places.wait(user)

    def leave(self, user: Hashable) -> None:
        """What ``enter`` was called for is over."""
        self._places.leave(user)

    async def aclose(self) -> None:
        """Close every connection; whoever waits for one is refused, whoever uses one sees it break."""
        self._sweep.discard(self._check_deadlines)
        self._places.close()
        if self._opening is not None:
            self._opening.cancel()
        for connection in tuple(self._connections):
            connection.abort()

    def forget(self, connection: Connection) -> None:
        """It is gone."""
        if connection in self._connections:
            self._connections.remove(connection)

    # -- within the pool

    async def _find(self, youngest: float, user: Hashable) -> Connection | None:
        """A connection with room, younger than that (loop time) if one may be opened.

        The place is left where that fails, and with None where there turn out to be fewer places.
        """
        opened = 0
        try:
            while True:
                connection = self._choose(youngest)
                if connection is None:
                    if opened > MAX_CONNECTIONS:  # each was lost, or full, before it could be used
                        raise UpstreamUnreachable(f"{opened} connections were opened in vain")
                    opened += 1
                    await self._open()
                    if self._places.taken > self._places.limit:
                        self._places.leave(user)
                        return None
                elif connection.idle and not connection.is_quiet():
                    await _let_loop_read()
                    if connection.has_room:
                        return connection
                else:
                    return connection
        except BaseException:
            self._places.leave(user)
            raise

    def _choose(self, youngest: float) -> Connection | None:
        """The oldest that will do, so that those which are not needed any more become idle; None to open one."""
        usable = [connection for connection in self._connections if connection.has_room]
        for connection in usable:
            if connection.opened_at > youngest:
                return connection
        return usable[-1] if len(usable) >= MAX_CONNECTIONS else None

    async def _open(self) -> None:
        """Wait until one more connection is open: all who need one at a time wait for the same."""
        if self._places.closed:
            raise Overloaded("the proxy is closing")
        if self._opening is None:
            self._opening = self._loop.create_task(self._connect())
        failure = await asyncio.shield(self._opening)
        if failure is not None:
            raise failure.build()

    async def _connect(self) -> Failure | None:
        """Open a connection, and wait for what the peer allows on it; why that was not possible."""
        connection = Connection(self, self.options, make_codec(_CODEC))
        try:
            async with asyncio.timeout(self.options.connect):
                await self.origin.connect(connection, self.options.connect, http2=True)
                failure = await connection.opened
        except TimeoutError:
            failure = Failure(
                UpstreamTimeout, f"no SETTINGS of {self.origin} within {self.options.connect:g} s"
            )
        except UpstreamError as error:
            failure = describe(error)
        except asyncio.CancelledError:  # by ``aclose`` alone
            failure = Failure(Overloaded, "the proxy is closing")
        finally:
            self._opening = None
        if failure is None and not connection.capacity:
            failure = Failure(UpstreamUnreachable, "the upstream lets us send no requests")
        if failure is not None:
            connection.abort(failure)
            return failure
        self._connections.append(connection)
        self._places.resize(min(self.options.max_connections, MAX_CONNECTIONS * connection.capacity))
        return None

    def _check_deadlines(self, now: float) -> None:
        for connection in tuple(self._connections):
            connection.check_deadlines(now)
            unused = connection.idle and now - connection.idle_since > IDLE_EXPIRY
            if unused or now - connection.opened_at > MAX_AGE or not connection.capacity:
                connection.retire()
        self._places.expire(now)


async def _begin_again(body: RepeatableBody | None) -> bool:
    if body is None:
        return True
    await body.let_go()
    return body.rewind()


async def _let_loop_read() -> None:
    """What waits to be read may say that the connection is at its end; the loop takes up to two rounds."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
