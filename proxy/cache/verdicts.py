"""What is known of single tokens, where several of one session share an entry.

The entry is good for the token that it was made with. Another one with the same claims uses it unasked for a while,
until it is exchanged by itself; one that was refused uses no entry but its own, until an exchange of it succeeds.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Final

_REFUSED: Final = -math.inf


class Verdicts:
    """By asker (``CacheKey``), for at most ``size`` of them, the least recently used leaving first.

    A token that has left is again one that was never asked about.
    """

    def __init__(self, size: int) -> None:
        self._ask_at: OrderedDict[bytes, float] = OrderedDict()  # monotonic
        self._size = size

    def __len__(self) -> int:
        return len(self._ask_at)

    def is_refused(self, asker: bytes) -> bool:
        return self._ask_at.get(asker) == _REFUSED

    def schedule(self, asker: bytes, ask_at: float) -> float:
        """When the token is to be asked about by itself (monotonic): ``ask_at``, unless that is settled already."""
        ask_at = self._ask_at.get(asker, ask_at)
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
        self._ask_at.pop(asker, None)

    def _keep(self, asker: bytes, ask_at: float) -> None:
        self._ask_at[asker] = ask_at
        self._ask_at.move_to_end(asker)
        if len(self._ask_at) > self._size:
            self._ask_at.popitem(last=False)
