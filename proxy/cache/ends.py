"""When entries end, by the second: what has ended is found a few at a time, and nothing has to be sorted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

STEPS: Final = (
    100  # at most, each time somebody asks: a turn of the event loop stays short, however many end at once
)
_FAR: Final = 1e12  # s: whatever ends later need not be told apart


class Ends:
    """Digests by the whole second in which they end (monotonic), from ``add`` to ``discard`` with the same end."""

    def __init__(self, now: float) -> None:
        self._digests: dict[int, dict[bytes, None]] = {}
        self._second = int(now)  # nothing ends earlier

    def __len__(self) -> int:
        """Seconds in which something ends."""
        return len(self._digests)

    def add(self, digest: bytes, ends_at: float) -> None:
        self._digests.setdefault(_name_second(ends_at), {})[digest] = None

    def discard(self, digest: bytes, ends_at: float) -> None:
        second = _name_second(ends_at)
        digests = self._digests[second]
        del digests[digest]
        if not digests:
            del self._digests[second]

    def find_ended(self, now: float) -> Iterator[bytes]:
        """Some that have ended, to be discarded before the next one is asked for; ``STEPS`` calls at most look on."""
        last = int(now)
        for _ in range(STEPS):
            if self._second >= last:
                return
            digests = self._digests.get(self._second)
            if digests:
                yield next(iter(digests))
            else:
                self._second += 1


def _name_second(ends_at: float) -> int:
    return int(min(ends_at, _FAR))
