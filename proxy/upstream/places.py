"""Places for connections to one upstream: how many there are, who may take one, and whose turn is next.

One user may take most of them while there is room. The last quarter is for users below their share, so that
nobody who holds connections for long (by slow bodies, slow reading, streams or websockets) keeps the others out.
The queue is shared by the same rule, and turns go round the users.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Hashable
from typing import Final, NamedTuple

from ..errors import Overloaded

WAITING_PER_PLACE: Final = 4  # more could hardly be served within the time a caller may wait
RESERVED_PART: Final = 4  # the last quarter is for users below their share
# 16 of 256, more than a browser opens to one host; it takes five users to fill all places.
SHARE_PART: Final = 16

_NOBODY: Final = object()


class Shares:
    """Counts how many of ``limit`` each user has; None is the proxy itself, which no share binds."""

    def __init__(self, limit: int) -> None:
        self.taken = 0
        self._counts: dict[Hashable, int] = {}
        self._divide(limit)

    def count(self, user: Hashable) -> int:
        """How many ``user`` has."""
        return self._counts.get(user, 0)

    def _divide(self, limit: int) -> None:
        self.limit = limit
        self._common = limit - max(1, limit // RESERVED_PART)
        self._share = max(1, limit // SHARE_PART)

    def allows(self, user: Hashable) -> bool:
        """Whether ``user`` may take one more."""
        if self.taken < self._common:
            return True
        return self.taken < self.limit and (user is None or self.count(user) < self._share)

    def take(self, user: Hashable) -> bool:
        """Take one, if ``user`` may."""
        taken, counts = self.taken, self._counts
        if taken >= self._common and not self.allows(user):
            return False
        self.taken = taken + 1
        counts[user] = counts.get(user, 0) + 1
        return True

    def give_back(self, user: Hashable) -> None:
        self.taken -= 1
        counts = self._counts
        count = counts[user]
        if count == 1:
            del counts[user]
        else:
            counts[user] = count - 1


class Waiter(NamedTuple):
    """A caller in the queue. ``deadline`` is a loop time.

    ``turn`` is done once the place is theirs, or with why it never will be. An exception in it would refer to the
    frame that awaits it, and so to itself: a circle for each refusal.
    """

    turn: asyncio.Future[str | None]
    deadline: float


class Places(Shares):
    """``limit`` places, each to be given back by ``leave``; who finds none may wait ``patience`` seconds."""

    def __init__(self, limit: int, patience: float) -> None:
        super().__init__(limit)
        self.closed = False
        self._patience = patience
        self._queue = Shares(limit * WAITING_PER_PLACE)
        self._waiting: dict[Hashable, deque[Waiter]] = {}  # the user whose turn is next comes first

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        return self._queue.taken

    async def wait(self, user: Hashable) -> None:
        """Take a place as soon as ``user`` may. Raises Overloaded."""
        if self.closed:
            raise Overloaded("the proxy is closing")
        if not self._queue.take(user):
            raise Overloaded("too many requests wait for a connection to the upstream")
        loop = asyncio.get_running_loop()
        waiter = Waiter(loop.create_future(), loop.time() + self._patience)
        self._waiting.setdefault(user, deque()).append(waiter)
        try:
            refusal = await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.cancelled():
                self._remove(user, waiter)
            elif waiter.turn.result() is None:  # the turn came in the same moment: pass it on
                self.leave(user)
            raise
        finally:
            self._queue.give_back(user)
        if refusal is not None:
            raise Overloaded(refusal)

    def leave(self, user: Hashable) -> None:
        """Give a place back, to the next in the queue who may have it."""
        self.give_back(user)
        if self._waiting:
            self._give_turn()

    def expire(self, now: float) -> None:
        """Refuse those who have waited too long; ``now`` is a loop time."""
        self._refuse(now, "no connection to the upstream became free in time")

    def close(self) -> None:
        """Refuse those who wait, and whoever is yet to come."""
        self.closed = True
        self._refuse(math.inf, "the proxy is closing")

    def resize(self, limit: int) -> None:
        """There are ``limit`` from now on; those that are taken beyond it stay until they are given back."""
        self._divide(limit)
        while self._waiting and self._give_turn():
            pass

    def _give_turn(self) -> bool:
        """To one only: nobody in the queue was allowed a place before, and one more is free now.

        Users who are passed over have their share of the places, so they are few. False where nobody has it.
        """
        while (user := next(filter(self.allows, self._waiting), _NOBODY)) is not _NOBODY:
            waiters = self._waiting.pop(user)
            turn = waiters.popleft().turn
            if waiters:
                self._waiting[user] = waiters  # behind the other users
            if not turn.done():  # or it was cancelled, and its task does not know yet
                self.take(user)
                turn.set_result(None)
                return True
        return False

    def _refuse(self, now: float, reason: str) -> None:
        for user, waiters in tuple(self._waiting.items()):
            while waiters and now > waiters[0].deadline:
                turn = waiters.popleft().turn
                if not turn.done():
                    had = f"this user has {self.count(user)} of {self.limit}"
                    turn.set_result(f"{reason}; {had}")
            if not waiters:
                del self._waiting[user]

    def _remove(self, user: Hashable, waiter: Waiter) -> None:
        waiters = self._waiting.get(user)
        if waiters is not None and waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiting[user]
