"""A connection of HTTP/1.1 as far as its times go: when it is read, and how long for what."""

from __future__ import annotations

import asyncio
from typing import cast

from .deadlines import NEVER, PEEK_PERIOD, Deadlines
from .flow import FlowControl
from .limits import LAST_CALL
from .reader import RequestReader, Sink
from .state import State


class TimedProtocol(Deadlines, asyncio.Protocol, Sink):
    """A connection whose requests, bodies and responses have their time."""

    flow: FlowControl
    _reader: RequestReader

    def __init__(self, state: State) -> None:
        super().__init__(state.limits)
        self.state = state
        self._patience = 0.0  # s that the body being read may still keep us waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A TLS handshake that fails never comes here.
        self.transport = cast("asyncio.Transport", transport)
        self.flow = FlowControl(self.transport)
        self._reader = RequestReader(self, self._limits)
        self.state.connections.add(self)

    def pause_writing(self) -> None:
        self.flow.pause_writing()
        self._expect_writes()

    def resume_writing(self) -> None:
        self.flow.resume_writing()
        self.write_deadline = NEVER

    def _expect_head(self) -> None:
        """What is here of a head already has a deadline, which is earlier."""
        self.read_deadline = min(self.read_deadline, self.loop.time() + self._limits.header_timeout)

    def await_body(self) -> None:
        """The application waits for more of the body: only now does its time run."""
        if self.flow.read_paused or self.read_deadline == NEVER:
            self.read_deadline = self.loop.time() + self._patience
        self.flow.resume_reading()

    def _stop_waiting(self) -> None:
        """The application has a piece of the body to go on with."""
        if self.read_deadline != NEVER and not self.flow.read_paused:
            self._patience = self.read_deadline - self.loop.time()
            self.read_deadline = NEVER

    def _extend_body(self, size: int) -> None:
        """Each piece buys time, but what trickles buys less than it takes."""
        limits, bought = self._limits, size / self._limits.least_rate
        if self.read_deadline == NEVER or self.flow.read_paused:
            self._patience = min(limits.body_timeout, self._patience + bought)
        else:  # it was framing alone
            latest = self.loop.time() + limits.body_timeout
            self.read_deadline = min(latest, self.read_deadline + bought)

    def _await_request(self) -> None:
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self._reader.in_head:
            timeout = self._limits.header_timeout
        else:
            timeout = LAST_CALL if self.state.draining else self._limits.keep_alive_timeout
        self.read_deadline = self.loop.time() + timeout

    def _pause_reading(self) -> None:
        self.flow.pause_reading()
        self.read_deadline = self.loop.time() + PEEK_PERIOD

    def _resume_reading(self) -> None:
        """What a head has of its time begins anew; a body has all of it, from when it is asked for."""
        self.flow.resume_reading()
        self.read_deadline = NEVER
        if self._reader.in_head:
            self._expect_head()

    def _finish(self, *, unread: bool) -> None:
        """The last response is written. With input unread, a mere close could destroy it (RFC 9112 §9.6)."""
        self._reader.done = True
        if not unread:
            self._close()
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.read_deadline = self.loop.time() + self._limits.linger_timeout
        self._expect_writes()

    def _close(self) -> None:
        self._reader.done = True
        if not self.transport.is_closing():  # asyncio's TLS transport does not bear being closed twice
            self.transport.close()
        self._expect_writes()
