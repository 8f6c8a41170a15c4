"""A bulkhead: never more than so many calls to one server at once, and a burst begins small.

As long as nothing is known of how a server takes it, a few calls go out; each success lets one more go along.
So a server that wants to be left alone is met by a handful of calls, not by all who happened to wait. One asker (as
the breaker tells them apart) has at most half of the places, and who waits gets one in turn: the slow calls of one
user do not hold up the others'.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from copy import copy

from ..errors import ProxyError

FIRST = 4  # calls at once at the start of a burst
MOST = 64  # calls at once ever

# Done once the place is theirs, or with why it never will be. As its exception, that would refer to the frame that
# awaits it, and so to itself.
Turn = asyncio.Future[ProxyError | None]
Line = deque[Turn]


class Bulkhead:
    """A line for each asker, in front of the places; whoever got one must ``leave``."""

    def __init__(self, first: int = FIRST, most: int = MOST) -> None:
        self.in_flight = 0
        self._first = first
        self._most = most
        self._places = first
        self._taken: Counter[Hashable] = Counter()
        # None is empty; the next turn is the first one's.
        self._lines: OrderedDict[Hashable, Line] = OrderedDict()

    @property
    def waiting(self) -> int:
        return sum(map(len, self._lines.values()))

    async def enter(self, asker: Hashable) -> None:
        """Wait for a place. Raises what ``turn_away`` was given meanwhile."""
        if self._may_take(asker):
            self._take(asker)
            return
        turn: Turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(asker, deque()).append(turn)
        try:
            refusal = await turn
        except asyncio.CancelledError:
            if not self._drop_out(asker, turn) and not turn.cancelled() and turn.result() is None:
                self.leave(asker)  # the place came too late
            raise
        if refusal is not None:
            raise copy(refusal)

    def leave(self, asker: Hashable, *, grow: bool = False) -> None:
        """Give the place back; ``grow`` after a success."""
        self.in_flight -= 1
        self._taken[asker] -= 1
        if not self._taken[asker]:
            del self._taken[asker]
        if grow:
            self._places = min(self._places + 1, self._most)
        self._give_places()
        if self.in_flight == 0:
            self._places = self._first

    def turn_away(self, error: ProxyError) -> None:
        """Everybody who waits raises a copy of ``error``; the next burst begins small."""
        self._places = self._first
        for asker in tuple(self._lines):
            self.turn_asker_away(asker, error)

    def turn_asker_away(self, asker: Hashable, error: ProxyError) -> None:
        """Whoever waits for this asker raises a copy of ``error``."""
        for turn in self._lines.pop(asker, ()):
            if not turn.done():  # or it has left, and does not know it yet
                turn.set_result(error)

    def _may_take(self, asker: Hashable) -> bool:
        return self.in_flight < self._places and self._taken.get(asker, 0) < max(1, self._places // 2)

    def _take(self, asker: Hashable) -> None:
        self.in_flight += 1
        self._taken[asker] += 1

    def _give_places(self) -> None:
        while self._lines and (asker := next(filter(self._may_take, self._lines), None)) is not None:
            line = self._lines.pop(asker)
            turn = line.popleft()
            if line:
                self._lines[asker] = line  # at the end: the others come first
            if not turn.done():
                self._take(asker)
                turn.set_result(None)

    def _drop_out(self, asker: Hashable, turn: Turn) -> bool:
        """Whether ``turn`` was still in line."""
        line = self._lines.get(asker)
        if line is None or turn not in line:
            return False
        line.remove(turn)
        if not line:
            del self._lines[asker]
        return True
