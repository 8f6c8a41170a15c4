"""A breaker: a server that fails again and again is left alone, but for one call every now and then.

Failures are told apart by asker: the user for whom a call is made, or the grant that needs none. A token that the
server chokes on is trouble of one user, who waits before the next try while the others go on. It is the server's
trouble once several askers have met it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from ..runtime import Clock

FAILURES = 5  # in a row, retries not counted: a restart or a lost packet makes fewer …
ASKERS = 3  # … and of so many askers at least
PROBE_EVERY = 1.0  # s: a server that is back is noticed within this
PAUSE = 2.0  # s that an asker who failed waits: longer than from probe to probe, so that they go round
MOST_PAUSES = 10_000  # of them at once


class Breaker:
    """Open after ``FAILURES`` failures in a row of ``ASKERS`` askers, closed by the first success.

    While it is open one call each ``PROBE_EVERY`` goes through, of an asker who does not pause. A probe that hangs
    holds up nothing: the next one goes when its time has come.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        # Whose failures they were; no more are kept than open the breaker.
        self._failed: set[Hashable] = set()
        self._pauses: OrderedDict[Hashable, float] = OrderedDict()  # when they end, the last one at the end
        self._next_probe = 0.0

    @property
    def open(self) -> bool:
        return self._failures >= FAILURES and len(self._failed) >= ASKERS

    def admit(self, asker: Hashable) -> float:
        """Let a call go, and return 0: the caller owes ``succeeded`` or ``failed``. Else the seconds to wait."""
        now = self._clock.monotonic()
        pause = self._pauses.get(asker, now) - now
        if pause > 0:
            return pause
        if not self.open:
            return 0.0
        if now < self._next_probe:
            return self._next_probe - now
        self._next_probe = now + PROBE_EVERY
        return 0.0

    def succeeded(self, asker: Hashable) -> None:
        if self.open:
            self._pauses.clear()  # they had failed with the server, which is back
        self._pauses.pop(asker, None)
        self._failures = 0
        self._failed.clear()

    def failed(self, asker: Hashable) -> None:
        now = self._clock.monotonic()
        if not self.open:
            self._next_probe = now + PROBE_EVERY
        self._failures += 1
        if len(self._failed) < ASKERS:
            self._failed.add(asker)
        self._pauses[asker] = now + PAUSE
        self._pauses.move_to_end(asker)
        if len(self._pauses) > MOST_PAUSES:
            self._pauses.popitem(last=False)
