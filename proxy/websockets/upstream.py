"""The upstream's side of a websocket: our handshake (RFC 6455 §4.1), its answer, and then messages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from websockets.http11 import Response

from ..config import models
from ..errors import UpstreamTimeout
from ..upstream import Origin
from .connection import Connection
from .handshake import Handshake

SWITCHING_PROTOCOLS = 101

Fields = Sequence[tuple[bytes, bytes]]


class UpstreamWebSocket:
    """The answer to a handshake: a refusal with its ``body``, or, where ``status`` is 101, an open websocket."""

    def __init__(self, connection: Connection, response: Response) -> None:
        self._connection = connection
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


class WebSocketUpstream:
    """Opens websockets at one origin."""

    def __init__(self, origin: Origin, timeouts: models.Timeouts) -> None:
        self._origin = origin
        self._timeouts = timeouts

    async def open(self, target: bytes, fields: Fields, subprotocols: Sequence[str]) -> UpstreamWebSocket:
        """Shake hands; ``fields`` are all but those that RFC 6455 §4.1 names. Raises UpstreamError."""
        connection = Connection(Handshake(target, fields, subprotocols))
        try:
            await self._origin.connect(connection, self._timeouts.connect)
            async with asyncio.timeout(self._timeouts.response):
                response = await connection.shake_hands()
        except TimeoutError:
            connection.abort()
            raise UpstreamTimeout("the upstream did not answer the handshake in time") from None
        except BaseException:
            connection.abort()
            raise
        websocket = UpstreamWebSocket(connection, response)
        if not websocket.accepted:
            connection.abort()
        return websocket
