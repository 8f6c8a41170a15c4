"""What is kept for a fixed while."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from ..runtime import STEPS, Clock, keep_from_collector

V = TypeVar("V")


class Recent(Generic[V]):
    """At most ``most`` values, each for ``seconds``, the oldest leaving first: a few whenever another comes."""

    def __init__(self, most: int, seconds: float, clock: Clock) -> None:
        self._values: OrderedDict[bytes, tuple[float, V]] = (
            OrderedDict()
        )  # with when each ends, in this order
        self._most = most
        self._seconds = seconds
        self._clock = clock

    def __len__(self) -> int:
        """With those that have ended but have not left yet."""
        return len(self._values)

    def keep(self, key: bytes, value: V) -> None:
        """In place of the one with the same key."""
        now = self._clock.monotonic()
        for _ in range(STEPS):
            if not self._values or next(iter(self._values.values()))[0] > now:
                break
            self._values.popitem(last=False)
        kept = now + self._seconds, value
        keep_from_collector(kept)
        self._values[key] = kept
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def get(self, key: bytes) -> V | None:
        ends_at, value = self._values.get(key, (0.0, None))
        return value if self._clock.monotonic() < ends_at else None
