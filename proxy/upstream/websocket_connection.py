"""One websocket to an upstream: RFC 6455 by the ``websockets`` library's sans-I/O half, on a transport of ours."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State

from ..errors import UpstreamError
from ..websockets.allowance import MESSAGES
from ..websockets.closing import CloseCode, Closed, build_closed
from ..websockets.intake import Hold, Intake, let_go
from .websocket_handshake import Handshake, explain_failure

PING_PERIOD = 20.0  # s: below the 60 s after which common intermediaries drop what is silent
CLOSE_TIMEOUT = 1.0  # s: for the upstream to answer our close

_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})


class Connection(asyncio.Protocol):
    """Nothing is read ahead of whoever takes the messages, nor of an upstream that does not read its pongs.

    Once it is lost nothing of it stays, also without the garbage collector.
    """

    def __init__(self, protocol: Handshake) -> None:
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._intake: Intake
        self._response: Response | None = None
        self._failures: list[UpstreamError] = []
        self._messages: deque[str | bytes] = deque()
        self._fragments = bytearray()  # a list of them could take far more memory than they hold
        self._is_text = False
        self._ended = False  # no message is taken any more
        self._heard = True  # since the last ping
        self._timer: asyncio.TimerHandle | None = None
        self._told = asyncio.Event()  # something has come, or nothing will
        self._writable = asyncio.Event()
        self._lost = asyncio.Event()

    @property
    def subprotocol(self) -> str | None:
        return self._protocol.subprotocol

    async def shake_hands(self) -> Response:
        """The answer, which may be a refusal. Raises UpstreamProtocolError, UpstreamUnreachable."""
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        while self._response is None or self._failures:
            if self._failures:
                raise self._failures.pop()  # its traceback holds us
            await self._wait()
        self._plan_ping()
        return self._response

    async def receive(self) -> str | bytes:
        """The next message. Raises Closed once there is none and the upstream has closed or broken off."""
        while not self._messages:
            if self._protocol.state is not State.OPEN:
                raise self._explain_end()
            await self._wait()
        message = self._messages.popleft()
        if not self._messages:
            if self in MESSAGES:
                self._note_held()
            self._intake.release(Hold.MESSAGE)
        return message

    async def send(self, data: str | bytes) -> None:
        """Waits while the upstream does not read. Raises Closed."""
        if self._protocol.state is not State.OPEN:
            raise Closed(CloseCode.GOING_AWAY)
        if isinstance(data, str):
            self._protocol.send_text(data.encode())
        else:
            self._protocol.send_binary(data)
        self._flush()
        await self._writable.wait()

    async def end(self, code: int, reason: str) -> None:
        """Close as RFC 6455 §7.1 says; within ``CLOSE_TIMEOUT``, or else an upstream that does not read is cut off."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
        self._ended = True
        self._messages.clear()
        self._intake.release(Hold.MESSAGE)  # its close may stand behind more of them
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._lost.wait()
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Be done with it at once."""
        if self._transport is None:  # it was never connected
            let_go(self._protocol, None)
        elif not self._lost.is_set():  # asyncio's transports of Python 3.11 do not bear to be aborted then
            self._transport.abort()

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._intake = Intake(self._transport, self._parse)
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self._intake.feed(data)

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._process()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.receive_eof()
        self._process()
        self._intake.close()
        self._writable.set()
        self._lost.set()
        MESSAGES.note(self, 0)
        if self._timer is not None:
            self._timer.cancel()
        let_go(self._protocol, self._response)

    def pause_writing(self) -> None:
        self._writable.clear()
        self._note_held()

    def resume_writing(self) -> None:
        self._writable.set()
        self._intake.release(Hold.ANSWER)
        self._note_held()

    # What the upstream sends

    def _parse(self, data: bytes | bytearray) -> int:
        self._protocol.receive_data(data)
        frames = self._process()
        self._note_held()
        return frames

    def _process(self) -> int:
        events = self._protocol.events_received()
        self._flush()
        for event in events:
            if isinstance(event, Response):
                self._response = event
            elif isinstance(event, Frame):
                self._take_frame(event)
        if failure := explain_failure(self._protocol.handshake_exc):
            self._failures = [failure]
        self._told.set()
        return len(events)

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode in _DATA:
            self._take_fragment(frame)
        elif frame.opcode is Opcode.PING and not self._writable.is_set():
            self._intake.hold(Hold.ANSWER)

    def _take_fragment(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._fragments += frame.data
        if frame.fin:
            data, self._fragments = self._fragments, bytearray()
            self._take_message(data)

    def _take_message(self, data: bytearray) -> None:
        if self._ended:
            return
        try:
            self._messages.append(data.decode() if self._is_text else bytes(data))
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA)
        else:
            self._intake.hold(Hold.MESSAGE)

    # Memory

    def _note_held(self) -> None:
        if self._lost.is_set():
            return
        unfinished = len(self._protocol.reader.buffer) + len(self._fragments)
        unsent = 0
        if self._transport is not None and not self._writable.is_set():
            unsent = self._transport.get_write_buffer_size()
        MESSAGES.note(self, unfinished + sum(map(len, self._messages)) + unsent)

    def give_up(self) -> None:
        """``Holder.give_up``."""
        self._messages.clear()
        self._fragments.clear()
        self._fail(CloseCode.TRY_AGAIN_LATER, "too much under way")
        if not self._writable.is_set():
            self.abort()

    # Its life

    async def _wait(self) -> None:
        """Until something has come."""
        self._told.clear()
        await self._told.wait()

    def _keep_alive(self) -> None:
        """Ping, unless nothing has come since the last ping although it would have been read."""
        if not self._heard and not self._intake.held & Hold.MESSAGE:
            self._fail(CloseCode.INTERNAL_ERROR)
        elif self._writable.is_set() and self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
            self._flush()
        self._heard = False
        self._plan_ping()

    def _plan_ping(self) -> None:
        if self._protocol.state is State.OPEN:
            self._timer = self._loop.call_later(PING_PERIOD, self._keep_alive)

    def _fail(self, code: CloseCode, reason: str = "") -> None:
        self._ended = True
        self._protocol.fail(code, reason)
        self._flush()
        self._told.set()

    def _flush(self) -> None:
        data = b"".join(self._protocol.data_to_send())
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _explain_end(self) -> Closed:
        received, sent = self._protocol.close_rcvd, self._protocol.close_sent
        if received is not None:
            return build_closed(received.code, received.reason, lost=CloseCode.INTERNAL_ERROR)
        if sent is not None and sent.code == CloseCode.MESSAGE_TOO_BIG:
            return Closed(sent.code, "message too big")
        if sent is not None and sent.code == CloseCode.TRY_AGAIN_LATER:
            return Closed(sent.code, sent.reason)
        return Closed(CloseCode.INTERNAL_ERROR, "the upstream broke off")
