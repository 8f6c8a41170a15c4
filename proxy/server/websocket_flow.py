"""When a websocket's peer is read, and how long it may keep us waiting.

It is not read while a message of its own waits to be taken, nor while it asks for pongs without reading them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.frames import Frame

from ..http.asgi import Message
from ..websockets.allowance import MESSAGES
from ..websockets.closing import CloseCode
from ..websockets.intake import Hold, Intake, let_go
from .deadlines import NEVER, PEEK_PERIOD
from .sockets import has_left
from .state import State
from .websocket_frames import WebSocketFrames


class WebSocketFlow(WebSocketFrames):
    """With bounds."""

    def __init__(self, state: State, app_state: dict[str, Any]) -> None:
        super().__init__(state, app_state)
        self._waiting = 0  # bytes of messages that the application has not taken

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._intake = Intake(self.transport, self._parse)

    def data_received(self, data: bytes) -> None:
        if not self.handshake_complete:
            self._intake.hold(Hold.HANDSHAKE)
        self._intake.feed(data)
        if self._intake.paused:  # what is not read does not tell of its end: somebody must ask
            self.read_deadline = self.loop.time() + PEEK_PERIOD

    def _parse(self, data: bytes | bytearray) -> int:
        self.conn.receive_data(data)
        if self.conn.parser_exc is not None:
            self.handle_parser_exception()
            return 0
        frames = len(self.conn.events)
        self.handle_events()
        self._note_held()
        return frames

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_writes()
        self._note_held()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.write_deadline = NEVER
        self._intake.release(Hold.ANSWER)
        self._note_held()

    def close_transport(self) -> None:
        super().close_transport()
        self._expect_writes()  # or a peer that takes nothing would keep the connection

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.read_deadline = self.write_deadline = NEVER
        self._intake.close()
        MESSAGES.note(self, 0)
        let_go(self.conn, self._request)

    # What the peer sends

    def handle_ping(self) -> None:
        super().handle_ping()
        if not self.writable.is_set():
            self._intake.hold(Hold.ANSWER)

    def handle_cont(self, frame: Frame) -> None:
        """A message in one buffer: a list of its fragments could take far more memory than they hold."""
        if not isinstance(self.frames[0], bytearray):
            self.frames[0] = bytearray(self.frames[0])
        self.frames[0] += frame.data
        if frame.fin:
            self.send_receive_event_to_app()

    def send_receive_event_to_app(self) -> None:
        (data,) = self.frames
        self.frames = []
        if self.close_sent:
            return
        kind = self.curr_msg_data_type
        try:
            message = data.decode() if kind == "text" else bytes(data)
        except UnicodeDecodeError:
            self.conn.fail(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
            return
        self.queue.put_nowait({"type": "websocket.receive", kind: message})
        self._waiting += len(data)
        self._intake.hold(Hold.MESSAGE)

    async def receive(self) -> Message:
        message = await self.queue.get()
        if self.queue.empty():
            self._waiting = 0
            if self in MESSAGES:
                self._note_held()
            self._intake.release(Hold.MESSAGE)
        return message

    def keepalive_timeout(self) -> None:
        """No answer to a ping: the peer is gone, unless the answer stands behind what is not read."""
        if self._intake.held:
            self.stop_keepalive()
            self.start_keepalive()
            return
        super().keepalive_timeout()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
        self._expect_writes()

    # Memory

    def _note_held(self) -> None:
        if self.disconnected:
            return
        unfinished = len(self.conn.reader.buffer) + sum(map(len, self.frames))
        unsent = 0 if self.writable.is_set() else self.transport.get_write_buffer_size()
        MESSAGES.note(self, unfinished + self._waiting + unsent)

    def give_up(self) -> None:
        """``Holder.give_up``; where more is held than an unfinished message there is no time for a close."""
        if self._waiting or not self.writable.is_set():
            self.transport.abort()
            return
        self.frames = []
        self.conn.fail(CloseCode.TRY_AGAIN_LATER, "too much under way")
        self.handle_parser_exception()

    # Deadlines

    def _expire_reading(self) -> None:
        """It is not read, and may have left."""
        if not self._intake.paused:
            self.read_deadline = NEVER
        elif has_left(self.transport):
            self.transport.abort()
        else:
            self.read_deadline = self.loop.time() + PEEK_PERIOD
