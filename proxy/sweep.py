"""One timer for all deadlines: whoever has deadlines looks at them when the sweep comes by.

A timer for each request would cost more than most requests do; a sweep costs the same for one as for
thousands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PERIOD = 0.1  # s: how late a deadline may be noticed


class Sweep:
    """Calls every listener with the monotonic time, each ``PERIOD``, on the loop that ``start`` ran on."""

    def __init__(self) -> None:
        self._listeners: set[Callable[[float], None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, listener: Callable[[float], None]) -> None:
        """``listener`` must be quick and must not raise."""
        self._listeners.add(listener)

    def discard(self, listener: Callable[[float], None]) -> None:
        self._listeners.discard(listener)

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PERIOD, self._tick, loop)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(PERIOD, self._tick, loop)
        now = loop.time()
        for listener in tuple(self._listeners):
            listener(now)
