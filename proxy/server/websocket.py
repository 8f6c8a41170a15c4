"""A connection that has become a websocket: uvicorn's implementation on ``websockets``, with our bounds.

The handshake's head was checked like any other before it comes here.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import unquote

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.http11 import Request

from .state import State

_NEVER = float("inf")
# What the handshake itself is made of (RFC 6455 §4.2.1); the rest, which may be long, is for the application.
_HANDSHAKE = frozenset(
    {
        b"host",
        b"upgrade",
        b"connection",
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"sec-websocket-extensions",
    }
)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Has the attributes that the sweep looks at; its timers are uvicorn's."""

    read_deadline = write_deadline = _NEVER

    def __init__(self, config: Config, state: State, app_state: dict[str, Any]) -> None:
        super().__init__(config, state, app_state, asyncio.get_running_loop())
        self.logger = logging.getLogger("uvicorn.error")
        self._headers: list[tuple[bytes, bytes]] = []
        self._target = b""

    def take_over(
        self, transport: asyncio.Transport, target: bytes, headers: list[tuple[bytes, bytes]]
    ) -> None:
        """Go on with ``transport`` after a handshake's head."""
        self._target = target
        self._headers = headers
        self.connection_made(transport)
        fields = b"".join(b"%b: %b\r\n" % field for field in headers if field[0] in _HANDSHAKE)
        self.data_received(b"GET / HTTP/1.1\r\n%b\r\n" % fields)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self._complete_scope()

    def _complete_scope(self) -> None:
        """What ``websockets`` was not told of the head."""
        raw_path, _, query = self._target.partition(b"?")
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

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
            self.frames = []
            self.conn.fail(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def shutdown(self) -> None:
        """The server goes away (RFC 6455 §7.4.1)."""
        if self.handshake_complete and not self.close_sent:
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.GOING_AWAY})
            self.conn.send_close(CloseCode.GOING_AWAY)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.transport.close()
            return
        super().shutdown()

    def expire(self, now: float) -> None:
        """Has no deadline."""

    def abort(self) -> None:
        self.transport.abort()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
