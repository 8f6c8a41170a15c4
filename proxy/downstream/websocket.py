"""The caller's side of a websocket, over ASGI: the handshake, an HTTP answer to it, or messages once accepted."""

from __future__ import annotations

from typing import Final

from ..errors import DownstreamDeparted
from ..http.asgi import Message, Receive, Scope, Send
from ..http.bearer import parse_subprotocol_token
from ..http.forwarding import Forwarding
from ..http.headers import Field
from ..websockets.closing import CloseCode, Closed, build_closed
from .request import Downstream

_HTTP_SCHEMES: Final = {"ws": "http", "wss": "https"}


class DownstreamWebSocket(Downstream):
    """A handshake, which may be answered like any request (ASGI's ``websocket.http.response`` extension)."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, forwarding: Forwarding) -> None:
        http = {"method": "GET", "scheme": _HTTP_SCHEMES[scope.get("scheme", "ws")]}
        super().__init__({"http_version": "1.1", **scope, **http}, receive, send, forwarding)
        self._closed = False

    def read_subprotocols(self) -> None:
        """Take a token off the subprotocols: it stands for the ``Authorization`` that browsers cannot send.

        Raises AuthorizationMalformed.
        """
        token, self.subprotocols = parse_subprotocol_token(self.ended.get(b"sec-websocket-protocol", ()))
        if token is not None:
            self.ended.setdefault(b"authorization", []).append(b"Bearer " + token.encode("ascii"))

    @property
    def is_read(self) -> bool:
        """Never: ``receive()`` brings messages, and tells of a departure among them."""
        return False

    async def start(self, status: int, headers: list[Field]) -> None:
        self.started = True
        self.status = status
        headers = self._add_nonce(headers)
        await self._tell({"type": "websocket.http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes, *, more: bool) -> None:
        await self._tell({"type": "websocket.http.response.body", "body": data, "more_body": more})

    async def accept(self, subprotocol: str | None, headers: list[Field]) -> None:
        self.started = True
        self.status = 101
        headers = self._add_nonce(headers)
        await self._tell({"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers})

    async def receive(self) -> str | bytes:
        """The next message. Raises Closed once the caller has closed or left."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.receive":
                text: str | None = message.get("text")
                return bytes(message["bytes"]) if text is None else text
            if message["type"] == "websocket.disconnect":
                self._closed = True
                code = message.get("code", CloseCode.NO_STATUS_RCVD)
                raise build_closed(code, message.get("reason") or "", lost=CloseCode.GOING_AWAY)

    async def send(self, data: str | bytes) -> None:
        """Raises Closed where nobody is there to read."""
        kind = "text" if isinstance(data, str) else "bytes"
        try:
            await self._tell({"type": "websocket.send", kind: data})
        except DownstreamDeparted:
            raise Closed(CloseCode.GOING_AWAY) from None

    async def close(self, code: int, reason: str) -> None:
        """Close, unless the caller has."""
        if not self._closed:
            self._closed = True
            await self._tell({"type": "websocket.close", "code": code, "reason": reason})

    async def _tell(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:
            raise DownstreamDeparted from None
