"""Tables of as many values as there are users, in segments.

A dictionary that is full is copied whole while the event loop stands still: one of 100,000 keys takes some 5 ms, an
``OrderedDict`` 50. Copying a segment takes microseconds.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import chain
from typing import Final, Generic, Protocol, TypeVar

SEGMENTS: Final = 64
_SMALL: Final = 1024  # values of a segment for which another one is not worth while
_CHANCES: Final = 16  # values that are looked at before one has to leave, used or not


class Usable(Protocol):
    """``used`` is set by whoever uses it."""

    used: bool


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
U = TypeVar("U", bound=Usable)


class Segments(Generic[K, V]):
    """Dictionaries, in one of which each key has its place."""

    def __init__(self, number: int = SEGMENTS) -> None:
        self.segments: tuple[dict[K, V], ...] = tuple({} for _ in range(number))
        self.number = number

    def __len__(self) -> int:
        return sum(map(len, self.segments))

    def of(self, key: K) -> dict[K, V]:
        """Where ``key`` has its place."""
        return self.segments[hash(key) % self.number]

    def values(self) -> Iterator[V]:
        """Of all segments."""
        return chain.from_iterable(segment.values() for segment in self.segments)

    def drain(self) -> Iterator[K]:
        """Key by key, each to be removed before the next one is asked for."""
        for segment in self.segments:
            while segment:
                yield next(iter(segment))


class SecondChances(Segments[K, U]):
    """At most ``most`` values, of which one has to leave for the next: the oldest, or the next that was not used since.

    The second-chance algorithm is nearly that of the least recently used, but a use moves nothing: it sets ``used``.
    """

    def __init__(self, most: int) -> None:
        super().__init__(min(SEGMENTS, 1 + most // _SMALL))
        self._most = most

    def find_leaving(self, key: K) -> K | None:
        """Who is to leave for ``key``, if anybody."""
        if len(self) < self._most:
            return None
        segment = self.of(key) or next(filter(None, self.segments))
        for _ in range(_CHANCES):
            oldest = next(iter(segment))
            if not segment[oldest].used:
                break
            segment[oldest].used = False
            segment[oldest] = segment.pop(oldest)
        return next(iter(segment))
