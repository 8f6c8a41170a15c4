"""How long a connection may keep us waiting: for a head, for the rest of a body, for its peer to read.

One sweep looks at the deadlines of all connections, so that a request costs no timer.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .limits import LAST_CALL
from .reader import RequestReader, Sink
from .sockets import reset
from .state import State

NEVER = math.inf
_PEEK_PERIOD = 0.5  # s: how often a connection that is not read is asked whether its peer is there


class TimedProtocol(HttpToolsProtocol, Sink):
    """``read_deadline`` and ``write_deadline`` are in the loop's time; ``expire`` is due after either."""

    _reader: RequestReader

    def __init__(self, config: Config, state: State, app_state: dict[str, Any]) -> None:
        super().__init__(config, state, app_state, asyncio.get_running_loop())
        del self.parser, self.pipeline  # the reader has its own; these would take 2 KiB of each connection
        self.read_deadline = self.write_deadline = NEVER
        self.state = state
        self._limits = state.limits
        self._unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._reader = RequestReader(self, self._limits)  # a TLS handshake that fails never comes here

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_writes()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.write_deadline = NEVER

    def expire(self, now: float) -> None:
        """A deadline has passed."""
        if now > self.write_deadline:
            self._expire_writing()
        if now > self.read_deadline:
            self._expire_reading()

    def _expire_reading(self) -> None:
        """What was to come has not."""
        raise NotImplementedError

    def _expire_writing(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent and unsent >= self._unsent:
            reset(self.transport)
        else:
            self._expect_writes()

    def _expect_head(self) -> None:
        """What is here of a head already has a deadline, which is earlier."""
        self.read_deadline = min(self.read_deadline, self.loop.time() + self._limits.header_timeout)

    def _extend_body(self, size: int) -> None:
        """Each piece buys time, but what trickles buys less than it takes."""
        if self.read_deadline != NEVER and not self.flow.read_paused:
            latest = self.loop.time() + self._limits.body_timeout
            self.read_deadline = min(latest, self.read_deadline + size / self._limits.body_rate)

    def _expect_writes(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self.write_deadline = self.loop.time() + self._limits.write_timeout if self._unsent else NEVER

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
        self.read_deadline = self.loop.time() + _PEEK_PERIOD

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
