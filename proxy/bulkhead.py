"""A bulkhead: never more than so many calls to one server at once, and a burst begins small.

As long as nothing is known of how a server takes it, a few calls go out; each success lets one more go along.
So a server that wants to be left alone is met by a handful of calls, not by all who happened to wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from copy import copy

from .errors import ProxyError

FIRST = 4  # calls at once at the start of a burst
MOST = 64  # calls at once ever


class Bulkhead:
    """A queue for one of the places; whoever got one must ``leave``."""

    def __init__(self, first: int = FIRST, most: int = MOST) -> None:
        self.in_flight = 0
        self._first = first
        self._most = most
        self._places = first
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def enter(self) -> None:
        """Wait for a place. Raises what ``turn_away`` was given meanwhile."""
        if self.in_flight < self._places and not self._waiting:
            self.in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled() and turn.exception() is None:
                self.leave()  # the place came too late
            raise

    def leave(self, *, grow: bool = False) -> None:
        """Give the place back; ``grow`` after a success."""
        self.in_flight -= 1
        if grow:
            self._places = min(self._places + 1, self._most)
        self._admit()
        if self.in_flight == 0:
            self._places = self._first

    def turn_away(self, error: ProxyError) -> None:
        """Everybody who waits raises a copy of ``error``; the next burst begins small."""
        self._places = self._first
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # or it has left, and does not know it yet
                turn.set_exception(copy(error))

    def _admit(self) -> None:
        while self._waiting and self.in_flight < self._places:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
