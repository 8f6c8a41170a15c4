"""Time, passed in: wall clock for what tokens say, monotonic for how long things last."""

from __future__ import annotations

from time import monotonic, time
from typing import Protocol


class Clock(Protocol):
    """Where a module gets its time from."""

    def time(self) -> float:
        """Epoch seconds, to compare with ``exp`` and ``nbf``; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, for deadlines and ages."""
        ...


class SystemClock:
    """The machine's own clocks."""

    time = staticmethod(time)
    monotonic = staticmethod(monotonic)
