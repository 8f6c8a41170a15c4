"""A websocket's frames, by ``websockets``: its handshake, its pings, and its end (RFC 6455).

What is bounded, and what the application is told of the head, is for the classes that build upon this one.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Any, Final, Literal, cast

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from ..http.asgi import Message, Scope
from ..websockets.allowance import MAX_MESSAGE
from ..websockets.closing import CloseCode
from .deadlines import Deadlines
from .scope import build_connection_scope
from .state import State

_PING_PERIOD: Final = 20.0  # s
_CLOSE_TIMEOUT: Final = 10.0  # s: for the peer to answer our close


class ClientDisconnected(OSError):
    """What is sent has nobody to read it (ASGI, WebSocket send)."""


class WebSocketFrames(Deadlines, asyncio.Protocol):
    """Is asked for and told of messages as ASGI has them."""

    def __init__(self, state: State, app_state: dict[str, Any]) -> None:
        super().__init__(state.limits)
        self.app = state.app
        self.scope: Scope = {}
        self.queue: asyncio.Queue[Message] = asyncio.Queue()
        self.conn = ServerProtocol(
            extensions=(),  # what one read may unfold to could not be bounded
            max_size=MAX_MESSAGE,
            logger=logging.getLogger("websockets.server"),
        )
        self.writable = asyncio.Event()
        self.writable.set()
        self.handshake_initiated = False
        self.handshake_complete = False
        self.close_sent = False
        self.disconnected = False
        self.close_timeout = _CLOSE_TIMEOUT
        self.close_timer: asyncio.TimerHandle | None = None
        self.ping_interval = self.ping_timeout = _PING_PERIOD
        self.frames: list[bytes | bytearray] = []  # of the message that has begun
        self.curr_msg_data_type: Literal["text", "bytes"] = "bytes"
        self._state = state
        self._app_state = app_state
        self._request: Request | None = None  # the handshake's
        self._response: Response
        self._ping: bytes | None = None  # the one that is to be answered
        self._ping_timer: asyncio.TimerHandle | None = None

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._state.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_keepalive()
        code = CloseCode.NO_STATUS_RCVD if self.handshake_complete else CloseCode.ABNORMAL_CLOSURE
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        self._state.connections.remove(self)
        self.handshake_complete = self.disconnected = True
        self.writable.set()  # a transport that is lost does not say so
        if self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = None

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def close_transport(self) -> None:
        """End the connection, once what was written has left."""
        if not self.transport.is_closing():  # asyncio's TLS transport does not bear being closed twice
            self.transport.close()

    # What the peer sends

    def handle_events(self) -> None:
        """All that has been parsed."""
        for event in self.conn.events_received():
            if isinstance(event, Request):
                self.handle_connect(event)
            elif isinstance(event, Frame):
                self._handle_frame(event)

    def _handle_frame(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.CONT:
                self.handle_cont(frame)
            case Opcode.TEXT | Opcode.BINARY:
                self.curr_msg_data_type = "text" if frame.opcode is Opcode.TEXT else "bytes"
                self.frames = [bytes(frame.data)]
                if frame.fin:
                    self.send_receive_event_to_app()
            case Opcode.PING:
                self.handle_ping()
            case Opcode.PONG:
                self._handle_pong(frame)
            case Opcode.CLOSE:
                self._handle_close()

    def handle_connect(self, request: Request) -> None:
        """The handshake: the application is asked, unless it breaks the rules."""
        self.handshake_initiated = True
        self._request = request
        self._response = self.conn.accept(request)
        if self._response.status_code != 101:
            self._answer(self._response)
            self.handshake_complete = self.close_sent = True
            self.close_transport()
            return
        scope = build_connection_scope(self.transport)
        scope["type"] = "websocket"
        scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
        self.scope = {**scope, "http_version": "1.1", "state": self._app_state.copy()}
        self.queue.put_nowait({"type": "websocket.connect"})
        task = self.loop.create_task(self.run_asgi())
        task.add_done_callback(self._state.tasks.discard)
        self._state.tasks.add(task)

    async def run_asgi(self) -> None:
        """The application, in a task of its own."""
        raise NotImplementedError

    def handle_parser_exception(self) -> None:
        """A frame breaks the rules."""
        raise NotImplementedError

    def handle_cont(self, frame: Frame) -> None:
        """More of the message that has begun."""
        raise NotImplementedError

    def send_receive_event_to_app(self) -> None:
        """A message is complete."""
        raise NotImplementedError

    def handle_ping(self) -> None:
        """The library has built the answer."""
        self._write()

    def _handle_close(self) -> None:
        if self.close_sent:  # the answer to ours
            if self.close_timer is not None:
                self.close_timer.cancel()
                self.close_timer = None
                self.close_transport()
        elif not self.transport.is_closing() and (close := self.conn.close_rcvd) is not None:
            self.queue.put_nowait(
                {"type": "websocket.disconnect", "code": close.code, "reason": close.reason}
            )
            self._write()
            self.close_transport()

    # Whether the peer is there

    def start_keepalive(self) -> None:
        """Ask from now on."""
        self._ping_timer = self.loop.call_later(self.ping_interval, self._send_ping)

    def stop_keepalive(self) -> None:
        """Ask no more."""
        if self._ping_timer is not None:
            self._ping_timer.cancel()
        self._ping_timer = self._ping = None

    def _send_ping(self) -> None:
        self._ping_timer = None
        if self.close_sent or self.transport.is_closing():
            return
        self._ping = secrets.token_bytes(4)
        self.conn.send_ping(self._ping)
        self._write()
        self._ping_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)

    def _handle_pong(self, frame: Frame) -> None:
        """An answer to what was not asked, or to what was asked before, says nothing."""
        if self._ping is not None and frame.data == self._ping:
            self.stop_keepalive()
            self.start_keepalive()

    def keepalive_timeout(self) -> None:
        """No answer."""
        self.stop_keepalive()
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.fail(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")
        self._write()
        self.close_sent = True
        self.close_transport()

    # What the application sends

    async def send(self, message: Message) -> None:
        """``websocket.accept`` and ``send``, and ``close`` before the handshake is answered. Waits for room."""
        await self.writable.wait()
        if self.disconnected or self.close_sent:
            raise ClientDisconnected
        match message["type"]:
            case "websocket.accept" if not self.handshake_complete:
                self._accept(message)
            case "websocket.close" if not self.handshake_complete:
                self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
                self._answer(self.conn.reject(403, ""))
                self.handshake_complete = self.close_sent = True
                self.close_transport()
            case "websocket.send" if self.handshake_complete:
                self._send_message(message)
            case kind:
                raise RuntimeError(f"{kind} is not for now")

    def _accept(self, message: Message) -> None:
        response = self._response
        headers = response.headers
        del headers["Date"]
        for name, value in message.get("headers", ()):
            headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        if subprotocol := message.get("subprotocol"):
            headers["Sec-WebSocket-Protocol"] = subprotocol
        if not self.transport.is_closing():
            self.handshake_complete = True
            self._answer(response)
            self.start_keepalive()

    def _send_message(self, message: Message) -> None:
        data, text = message.get("bytes"), message.get("text")
        try:
            if data is not None:
                self.conn.send_binary(data)
            elif text is not None:
                self.conn.send_text(text.encode())
        except InvalidState:
            raise ClientDisconnected from None
        self._write()

    def send_500_response(self) -> None:
        """The application has failed before it has answered."""
        if not self.handshake_complete:
            self._answer(self.conn.reject(500, "Internal Server Error"))

    def _answer(self, response: Response) -> None:
        """To the handshake."""
        self.conn.send_response(response)
        self._write()

    def _write(self) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))
