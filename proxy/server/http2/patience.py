"""How long one request's body may keep its application waiting."""

from __future__ import annotations

from ..deadlines import NEVER
from ..limits import Limits

SILENCE = 300.0  # s that a caller of gRPC's may say nothing, while nobody has answered it


class Patience:
    """``deadline`` is in the loop's time; it runs only while the application waits for more of the body."""

    __slots__ = ("_left", "_limits", "deadline")

    def __init__(self, limits: Limits) -> None:
        self.deadline = NEVER
        self._left = limits.body_timeout
        self._limits = limits

    def run(self, now: float) -> None:
        """The application begins to wait."""
        if self.deadline == NEVER:
            self.deadline = now + self._left

    def extend(self, size: int, now: float) -> None:
        """A piece of ``size`` bytes has come. It buys time, but what trickles buys less than it takes."""
        if self.deadline != NEVER:
            self._left = self.deadline - now
            self.deadline = NEVER
        self._left = min(self._limits.body_timeout, self._left + size / self._limits.least_rate)

    def end(self) -> None:
        """The body is whole, or nobody waits for it any more."""
        self.deadline = NEVER


class CallPatience(Patience):
    """For a call of gRPC's: a stream of messages, between which nothing may come for long."""

    __slots__ = ()

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._left = SILENCE

    def extend(self, size: int, now: float) -> None:
        """Each piece buys all of the time again."""
        self.deadline = NEVER
