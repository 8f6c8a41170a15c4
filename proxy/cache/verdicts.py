"""What is known of single tokens, where several of one session share an entry.

The entry is good for the token that it was made with. Another one with the same claims uses it unasked for a while,
until it is exchanged by itself; one that was refused uses no entry but its own, until an exchange of it succeeds.
"""

from __future__ import annotations

import math
from typing import Final

from ..authentication.segments import Bounded
from ..runtime import spread

_REFUSED: Final = -math.inf


class Verdicts:
    """By asker (``CacheKey``), for at most ``size`` of them, the least recently used leaving first.

    A token that has left is again one that was never asked about.
    """

    def __init__(self, size: int) -> None:
        self._ask_at: Bounded[bytes, float] = Bounded(size)  # monotonic

    def __len__(self) -> int:
        return len(self._ask_at)

    def is_refused(self, asker: bytes) -> bool:
        return self._ask_at.get(asker) == _REFUSED

    def schedule(self, asker: bytes, ask_at: float) -> float:
        """When the token is to be asked about by itself (monotonic): ``ask_at``, unless that is settled already."""
        settled = self._ask_at.get(asker)
        ask_at = ask_at if settled is None else settled
        self._keep(asker, ask_at)
        return ask_at

    def postpone(self, asker: bytes, ask_at: float) -> None:
        """The token is being asked about. Should nobody answer, it is to be asked about again at ``ask_at``."""
        self._keep(asker, ask_at)

    def refuse(self, asker: bytes) -> None:
        """The authorization server has refused this very token."""
        self._keep(asker, _REFUSED)

    def forget(self, asker: bytes) -> None:
        """An exchange of it succeeded: what was settled before is over."""
        self._ask_at.discard(asker)

    async def aclose(self) -> None:
        """Nothing is known any more; many tokens are not all forgotten in one turn of the event loop."""
        await spread(self._ask_at.discard, self._ask_at.drain())

    def _keep(self, asker: bytes, ask_at: float) -> None:
        self._ask_at.discard(asker)
        leaving = self._ask_at.find_leaving(asker)
        if leaving is not None:
            self._ask_at.discard(leaving)
        self._ask_at.put(asker, ask_at)
