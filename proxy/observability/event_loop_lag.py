"""How late the event loop comes to what is due: what every request on it waits for.

Something that blocks the loop shows here, and in no other figure.
"""

from __future__ import annotations

import asyncio

from .metrics import Histogram

PERIOD = 0.5  # s between two looks


class LoopLag:
    """Looks at the loop it was started on until ``stop``; how late it was goes to ``seconds``."""

    def __init__(self, seconds: Histogram) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._look_at(loop, loop.time() + PERIOD)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        self._timer = loop.call_at(when, self._look, loop, when)

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        self._seconds.observe(max(0.0, now - due))
        self._look_at(loop, now + PERIOD)
