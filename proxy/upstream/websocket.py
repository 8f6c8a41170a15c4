"""The upstream's side of a websocket: our handshake (RFC 6455 §4.1), its answer, and then messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from functools import partial

from websockets.http11 import Response

from ..errors import UpstreamTimeout
from ..http.headers import Fields
from .port import Places
from .websocket_connection import Connection
from .websocket_handshake import Handshake

SWITCHING_PROTOCOLS = 101


class UpstreamWebSocket:
    """The answer to a handshake: a refusal with its ``body``, or, where ``status`` is 101, an open websocket.

    ``leave`` is called once it is closed.
    """

    def __init__(self, connection: Connection, response: Response, leave: Callable[[], None]) -> None:
        self._connection = connection
        self._leave: Callable[[], None] | None = leave
        self.status = response.status_code
        self.body = bytes(response.body)
        self.headers = [
            (name.lower().encode("ascii"), value.encode("latin-1"))
            for name, value in response.headers.raw_items()
            if name.lower() != "content-length"
        ]
        if not self.accepted:
            self.headers.append((b"content-length", b"%d" % len(self.body)))

    @property
    def accepted(self) -> bool:
        return self.status == SWITCHING_PROTOCOLS

    @property
    def subprotocol(self) -> str | None:
        return self._connection.subprotocol

    async def receive(self) -> str | bytes:
        """The next message. Raises Closed once the upstream has closed or broken off."""
        return await self._connection.receive()

    async def send(self, data: str | bytes) -> None:
        """Waits while the upstream does not read. Raises Closed."""
        await self._connection.send(data)

    async def end(self, code: int, reason: str) -> None:
        """Close as RFC 6455 §7.1 says; an upstream that does not answer is cut off."""
        await self._connection.end(code, reason)

    def close(self) -> None:
        """Be done with it; an open websocket is cut."""
        self._connection.abort()
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


class WebSocketUpstream:
    """Opens websockets at one upstream, each in the place of a connection of its pool."""

    def __init__(self, upstream: Places) -> None:
        self._upstream = upstream

    async def open(
        self, target: bytes, fields: Fields, subprotocols: Sequence[str], *, user: Hashable
    ) -> UpstreamWebSocket:
        """Shake hands; ``fields`` are all but those that RFC 6455 §4.1 names. Raises UpstreamError, Overloaded.

        The websocket counts in ``user``'s share of the connections until it is closed.
        """
        connection = Connection(Handshake(target, fields, subprotocols))
        await self._upstream.enter(user)
        leave = partial(self._upstream.leave, user)
        try:
            response = await self._shake_hands(connection)
        except BaseException:
            connection.abort()
            leave()
            raise
        websocket = UpstreamWebSocket(connection, response, leave)
        if not websocket.accepted:
            connection.abort()
        return websocket

    async def _shake_hands(self, connection: Connection) -> Response:
        options = self._upstream.options
        await self._upstream.origin.connect(connection, options.connect)
        try:
            async with asyncio.timeout(options.response):
                return await connection.shake_hands()
        except TimeoutError:
            raise UpstreamTimeout("the upstream did not answer the handshake in time") from None
