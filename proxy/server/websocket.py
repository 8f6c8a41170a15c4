"""A connection that has become a websocket: frames by ``websockets``, with our bounds.

The handshake's head was checked like any other before it comes here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from websockets.http11 import Request

from ..http.asgi import Message
from ..http.headers import Field
from ..websockets.closing import CloseCode
from ..websockets.intake import Hold
from .head import ANY_SIZE
from .response_head import Framing, build_response_head
from .served_request import describe_fault
from .state import State
from .tls import find_client_certificate
from .websocket_flow import WebSocketFlow
from .websocket_frames import ClientDisconnected

log = logging.getLogger(__name__)

# What the handshake itself is made of (RFC 6455 §4.2.1); the rest, which may be long, is for the application.
_HANDSHAKE = frozenset(
    {
        b"host",
        b"upgrade",
        b"connection",
        b"sec-websocket-key",
        b"sec-websocket-version",
    }
)


class WebSocketProtocol(WebSocketFlow):
    """Implements ``Connection`` for the application."""

    http2 = False
    grpc = False
    refusal = None

    def __init__(self, state: State, app_state: dict[str, Any]) -> None:
        super().__init__(state, app_state)
        self.target = b""
        self.head_size = ANY_SIZE
        self._headers: list[Field] = []
        self._callback: Callable[[], None] | None = None
        self._running: asyncio.Task[Any] | None = None
        self._refusal: Framing | None = None
        self._held = b""
        self._going_away = False

    @property
    def client_certificate(self) -> str | None:
        """``Connection.client_certificate``: asked for once, at the handshake."""
        return find_client_certificate(self.transport)

    def take_over(
        self, transport: asyncio.Transport, target: bytes, headers: list[Field], *, behind: bool
    ) -> None:
        """Go on with ``transport`` after a handshake's head; ``behind``: its peer has responses to take before."""
        self.target = target
        self._headers = headers
        self.connection_made(transport)
        if behind:
            self.pause_writing()  # which a transport says once
        fields = b"".join(b"%b: %b\r\n" % field for field in headers if field[0] in _HANDSHAKE)
        self._parse(b"GET / HTTP/1.1\r\n%b\r\n" % fields)
        if not self.handshake_initiated:  # the library has refused it
            transport.write(b"".join(self.conn.data_to_send()))
            self.close_transport()

    def handle_connect(self, request: Request) -> None:
        super().handle_connect(request)
        if not self.close_sent:
            self._complete_scope()

    def _complete_scope(self) -> None:
        """What ``websockets`` was not told of the head."""
        raw_path, _, query = self.target.partition(b"?")
        subprotocols = [
            token.strip().decode("latin-1")
            for name, value in self._headers
            if name == b"sec-websocket-protocol"
            for token in value.split(b",")
        ]
        self.scope["path"] = unquote(raw_path.decode("ascii", "replace"))
        self.scope["raw_path"] = raw_path
        self.scope["query_string"] = query
        self.scope["headers"] = self._headers
        self.scope["subprotocols"] = subprotocols
        extensions: dict[str, Any] = {"websocket.http.response": {}, "obo": self}
        self.scope["extensions"] = extensions

    async def run_asgi(self) -> None:
        self._running = asyncio.current_task()
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            return
        except Exception as error:  # noqa: BLE001 the application's own fault, whatever it is
            log.error("application failed", extra=describe_fault(error))  # noqa: TRY400 its text may hold secrets
            self._fail()
        finally:
            self._expect_end()
            self._running = None
            self.scope = {}  # it holds us, as our task did

    def _fail(self) -> None:
        if not self.handshake_complete:
            self.send_500_response()
        elif not (self.close_sent or self.disconnected):
            self._close(CloseCode.INTERNAL_ERROR)

    def _expect_end(self) -> None:
        """The application is done: what it has said may still leave, but not for ever."""
        self._callback = None
        if self.disconnected:
            return
        if self.close_timer is None:
            self.close_transport()
        self._expect_writes()

    def handle_parser_exception(self) -> None:
        """A frame that breaks the rules ends the websocket.

        What the peer still sends is read, or it might not come to read why (RFC 6455 §7.1.1).
        """
        if self.close_timer is not None:
            return
        close = self.conn.close_sent
        if close is None:  # it came before the handshake was answered
            self.transport.abort()
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self._end(self._limits.linger_timeout)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        departed = self.conn.close_rcvd is None and not self.close_sent
        if departed:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
        super().connection_lost(exc)
        callback, self._callback = self._callback, None
        if departed and callback is not None:
            callback()

    # What the application sends

    async def send(self, message: Message) -> None:
        """As ASGI says; a close after the end is not an error, for the peer may have been faster."""
        kind = message["type"]
        if kind == "websocket.http.response.start" and not self.handshake_complete:
            self._held, self._refusal, _, _ = build_response_head(
                message["status"], message["headers"], method="GET", version="1.0", keep_alive=False
            )  # not in chunks: without a length the body ends with the connection
        elif kind == "websocket.http.response.body" and self._refusal is not None:
            self._refuse(self._refusal, message["body"], more=message.get("more_body", False))
        elif self.disconnected or self.close_sent or self.transport.is_closing():
            if kind != "websocket.close":
                raise ClientDisconnected
        elif kind == "websocket.close" and self.handshake_complete:
            self._close(message.get("code", CloseCode.NORMAL_CLOSURE), message.get("reason") or "")
        else:
            await super().send(message)
            if kind == "websocket.accept":
                self._begin()

    def _begin(self) -> None:
        """The handshake is answered."""
        self._intake.release(Hold.HANDSHAKE)
        if self._going_away and self.handshake_complete:
            self._close(CloseCode.GOING_AWAY)

    def on_departure(self, callback: Callable[[], None] | None) -> None:
        """``Connection.on_departure``; a peer that closes as RFC 6455 §7 says has not departed."""
        self._callback = callback
        if callback is not None and self.disconnected:
            self._callback = None
            callback()

    def cancel(self) -> None:
        """``Connection.cancel``."""
        if self._running is not None:
            self._running.cancel()

    def abort(self) -> None:
        self.transport.abort()

    def _refuse(self, framing: Framing, body: bytes, *, more: bool) -> None:
        """An HTTP answer in the websocket's place."""
        data, self._held = self._held, b""
        self.transport.write(data if framing is Framing.NONE else data + body)
        if not more:
            self._refusal = None
            self.handshake_complete = self.close_sent = True

    def _close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; the peer has ``close_timeout`` to end it."""
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self._end(self.close_timeout)

    def _end(self, seconds: float) -> None:
        """Write our close, and read on until the peer closes or for ``seconds``."""
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(seconds, self.close_transport)
        self._intake.release(Hold.MESSAGE)

    # Ends

    def shutdown(self) -> None:
        """The server goes away (RFC 6455 §7.4.1): at once, or as soon as the handshake is answered."""
        self._going_away = True
        if self.handshake_complete and not self.close_sent:
            self._close(CloseCode.GOING_AWAY)
