"""A breaker: a server that fails again and again is left alone, but for one call every now and then."""

from __future__ import annotations

from .clock import Clock

FAILURES = 5  # in a row, retries not counted: a restart or a lost packet makes fewer
PROBE_EVERY = 1.0  # s: a server that is back is noticed within this


class Breaker:
    """Open after ``FAILURES`` failures in a row, closed by the first success.

    While it is open one call each ``PROBE_EVERY`` goes through. A probe that hangs holds up nothing: the next
    one goes when its time has come.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._next_probe = 0.0

    @property
    def open(self) -> bool:
        return self._failures >= FAILURES

    def admit(self) -> bool:
        """Whether a call may be made now; the caller then owes ``succeeded`` or ``failed``."""
        if not self.open:
            return True
        if self._clock.monotonic() < self._next_probe:
            return False
        self._next_probe = self._clock.monotonic() + PROBE_EVERY
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures == FAILURES:
            self._next_probe = self._clock.monotonic() + PROBE_EVERY
