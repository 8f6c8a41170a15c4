"""Tables of as many values as there are users, in segments.

A dictionary that is full is copied whole while the event loop stands still: one of 100,000 keys takes some 5 ms, an
``OrderedDict`` 50. Copying a segment takes microseconds.

The segments themselves are kept from the garbage collector, as what is in them is: to look through all of them takes a
full collection 15 ms with 100,000 users.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final, Generic, Protocol, TypeVar

from ..runtime import keep_from_collector

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
        keep_from_collector(*self.segments)

    def __len__(self) -> int:
        return sum(map(len, self.segments))

    def of(self, key: K) -> dict[K, V]:
        """Where ``key`` has its place."""
        return self.segments[hash(key) % self.number]

    def get(self, key: K) -> V | None:
        return self.of(key).get(key)

    def put(self, key: K, value: V) -> None:
        """In place of the one with the same key, as the youngest. ``value`` must be part of no circle."""
        segment = self.of(key)
        segment.pop(key, None)
        segment[key] = value
        keep_from_collector(segment)  # again: CPython tracks it with each value that may be in a circle

    def discard(self, key: K) -> None:
        """Nothing, where there is none."""
        self.of(key).pop(key, None)

    def values(self) -> Iterator[V]:
        """Of all segments. What comes or goes meanwhile may be among them or not."""
        for segment in self.segments:
            yield from tuple(segment.values())

    def drain(self) -> Iterator[K]:
        """Key by key, each to be removed before the next one is asked for."""
        for segment in self.segments:
            while segment:
                yield next(iter(segment))


class Bounded(Segments[K, V]):
    """At most ``most`` values, of which one has to leave for the next: the oldest of a segment, nearly that of all."""

    def __init__(self, most: int) -> None:
        super().__init__(min(SEGMENTS, 1 + most // _SMALL))
        self._most = most
        self._room = most  # values that may come for certain before all have to be counted again

    def find_leaving(self, key: K) -> K | None:
        """Who is to leave for ``key``, which is not there, if anybody. To be asked before each value that comes."""
        segment = self._find_full(key)
        return None if segment is None else next(iter(segment))

    def _find_full(self, key: K) -> dict[K, V] | None:
        """Where somebody has to leave for ``key``, if anybody has to."""
        if self._room <= 0:
            self._room = self._most - len(self)
        self._room -= 1
        if self._room >= 0:
            return None
        return self.of(key) or next(filter(None, self.segments))


class SecondChances(Bounded[K, U]):
    """Who leaves is the oldest, or the next that was not used since.

    The second-chance algorithm is nearly that of the least recently used, but a use moves nothing: it sets ``used``.
    """

    def find_leaving(self, key: K) -> K | None:
        """Who is to leave for ``key``, if anybody."""
        segment = self._find_full(key)
        if segment is None:
            return None
        for _ in range(_CHANCES):
            oldest = next(iter(segment))
            if not segment[oldest].used:
                break
            segment[oldest].used = False
            segment[oldest] = segment.pop(oldest)
        return next(iter(segment))
