"""What is kept for a while."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

from ..authentication.segments import Bounded
from ..runtime import STEPS, Clock, keep_from_collector, spread

V = TypeVar("V")


class Recent(Generic[V]):
    """At most ``most`` values, each for ``seconds`` at most, the oldest leaving first: a few whenever another comes.

    ``V`` must be part of no circle: the garbage collector is kept from what is here.
    """

    def __init__(self, most: int, seconds: float, clock: Clock) -> None:
        self._values: Bounded[bytes, tuple[float, V]] = Bounded(most)  # with when each ends
        self._seconds = seconds
        self._clock = clock

    def __len__(self) -> int:
        """With those that have ended but have not left yet."""
        return len(self._values)

    def keep(self, key: bytes, value: V, seconds: float = math.inf) -> None:
        """In place of the one with the same key."""
        now = self._clock.monotonic()
        kept = now + min(seconds, self._seconds), value
        keep_from_collector(kept)
        self._values.discard(key)
        self._drop_ended(self._values.of(key), now)
        leaving = self._values.find_leaving(key)
        if leaving is not None:
            self._values.discard(leaving)
        self._values.put(key, kept)

    def get(self, key: bytes) -> V | None:
        kept = self._values.get(key)
        return kept[1] if kept is not None and self._clock.monotonic() < kept[0] else None

    def forget(self, key: bytes) -> None:
        self._values.discard(key)

    def keys(self) -> Iterator[bytes]:
        """Of those that have not ended."""
        now = self._clock.monotonic()
        for segment in self._values.segments:
            yield from [key for key, (ends_at, _) in segment.items() if now < ends_at]

    async def aclose(self) -> None:
        """Nothing is kept any more; many values are not all let go in one turn of the event loop."""
        await spread(self._values.discard, self._values.drain())

    def _drop_ended(self, oldest: dict[bytes, tuple[float, V]], now: float) -> None:
        for key in list(islice(oldest, STEPS)):
            if now < oldest[key][0]:
                return
            del oldest[key]
