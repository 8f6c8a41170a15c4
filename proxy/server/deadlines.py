"""How long a connection may keep us waiting: for a head, for the rest of a body, for its peer to read.

One sweep looks at the deadlines of all connections, so that a request costs no timer.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final

from mypy_extensions import mypyc_attr

from ..runtime import count_untaken
from .limits import Limits
from .sockets import is_behind, reset

NEVER: Final = math.inf
PEEK_PERIOD: Final = 0.5  # s: how often a connection that is not read is asked whether its peer is there


@mypyc_attr(allow_interpreted_subclasses=True)  # those of HTTP/2 and of websockets
class Deadlines:
    """``read_deadline`` and ``write_deadline`` are in the loop's time; ``expire`` is due after either."""

    transport: asyncio.Transport

    def __init__(self, limits: Limits) -> None:
        self.loop = asyncio.get_running_loop()
        self.read_deadline = NEVER
        self.write_deadline = NEVER
        self._limits = limits
        self._untaken = 0

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
        if is_behind(self.transport, self._untaken, self._limits.least_taken):
            reset(self.transport)
        else:
            self._expect_writes()

    def _expect_writes(self) -> None:
        """What waits here for the peer must leave; time in which nothing waits does not count."""
        waits = self.transport.get_write_buffer_size() > 0
        self._untaken = count_untaken(self.transport) if waits else 0
        self.write_deadline = self.loop.time() + self._limits.write_timeout if waits else NEVER
