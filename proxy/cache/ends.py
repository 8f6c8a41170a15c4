"""When entries end, by the second: what has ended is found a few at a time, and nothing has to be sorted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..runtime import STEPS, keep_from_collector

_FAR: Final = 1e12  # s: whatever ends later need not be told apart


class Ends:
    """Digests by the whole second in which they end (monotonic), until ``discard`` with the same end, or their end."""

    def __init__(self, now: float) -> None:
        self._digests: dict[int, dict[bytes, None]] = {}
        self._second = int(now)  # nothing ends earlier

    def __len__(self) -> int:
        """Seconds in which something ends."""
        return len(self._digests)

    def add(self, digest: bytes, ends_at: float) -> None:
        second = _name_second(ends_at)
        digests = self._digests.get(second)
        if digests is None:
            digests = self._digests[second] = {}
            keep_from_collector(digests)
        digests[digest] = None

    def discard(self, digest: bytes, ends_at: float) -> None:
        """Nothing, where there is none."""
        second = _name_second(ends_at)
        digests = self._digests.get(second, {})
        digests.pop(digest, None)
        if not digests:
            self._digests.pop(second, None)

    def pop_ended(self, now: float) -> Iterator[bytes]:
        """Some that have ended: what ``STEPS`` steps find, of which each gives one or goes on by a second."""
        last = int(now)
        for _ in range(STEPS):
            if self._second >= last:
                return
            digests = self._digests.get(self._second)
            if digests:
                yield digests.popitem()[0]
            else:
                self._digests.pop(self._second, None)
                self._second += 1


def _name_second(ends_at: float) -> int:
    return int(min(ends_at, _FAR))
