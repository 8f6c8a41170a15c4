"""The store behind the shared cache, as a port, and a guard that keeps its troubles away from requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

from ...runtime import Background, Clock

BUDGET: Final = 0.05  # s for one command; no request waits longer for a store that is away
FIRST_PAUSE: Final = 1.0  # s without the store after a failure, doubled with each further one
LONGEST_PAUSE: Final = 30.0  # s

log = logging.getLogger(__name__)
T = TypeVar("T")


class StoreRefused(Exception):
    """The store is there, but does not do what was asked: it is full, or read-only."""


class StoreAway(Exception):
    """The store has not answered in time, or is left alone because of that."""


class Store(Protocol):
    """The few commands that are needed. Raises StoreRefused, and whatever its client raises."""

    async def get(self, names: Sequence[bytes]) -> Sequence[Any]:
        """The values; None for what is not there or of another type."""
        ...

    async def put(self, name: bytes, value: bytes, milliseconds: int) -> None: ...

    async def put_new(self, name: bytes, value: bytes, milliseconds: int) -> bool:
        """False where there is a value already."""
        ...

    async def prolong(self, name: bytes, milliseconds: int) -> bool:
        """From now on it lasts that long; False where there is nothing."""
        ...

    async def delete(self, names: Sequence[bytes]) -> None: ...

    async def append(self, name: bytes, value: bytes, most: int, milliseconds: int) -> None:
        """To the stream ``name``, which keeps the last ``most`` values or a few more."""
        ...

    async def read(self, name: bytes, place: bytes | None, most: int) -> Sequence[tuple[bytes, Any]]:
        """Up to ``most`` places of the stream with their values, in order, from ``place`` or the beginning.

        ``place`` itself comes first if it is still there. A value is None where it has another shape.
        """
        ...

    async def aclose(self) -> None: ...


class GuardedStore:
    """What requests ask of a ``Store``: answered within ``budget`` (s), at once while it is left alone.

    Raises StoreRefused and StoreAway alone, whatever the store or its client does.
    """

    def __init__(self, store: Store, *, clock: Clock, background: Background, budget: float = BUDGET) -> None:
        self._store = store
        self._clock = clock
        self._background = background
        self._budget = budget
        self._away_until = 0.0
        self._pause = FIRST_PAUSE
        self.failures = 0

    async def get(self, names: Sequence[bytes]) -> Sequence[Any]:
        return await self._within_budget(lambda: self._store.get(names))

    async def put(self, name: bytes, value: bytes, milliseconds: int) -> None:
        await self._within_budget(lambda: self._store.put(name, value, milliseconds))

    async def put_new(self, name: bytes, value: bytes, milliseconds: int) -> bool:
        return await self._within_budget(lambda: self._store.put_new(name, value, milliseconds))

    async def prolong(self, name: bytes, milliseconds: int) -> bool:
        return await self._within_budget(lambda: self._store.prolong(name, milliseconds))

    async def delete(self, names: Sequence[bytes]) -> None:
        await self._within_budget(lambda: self._store.delete(names))

    async def aclose(self) -> None:
        await self._store.aclose()

    async def _within_budget(self, command: Callable[[], Awaitable[T]]) -> T:
        if self._clock.monotonic() < self._away_until:
            raise StoreAway
        try:
            result = await within(self._budget, command, self._background)
        except StoreRefused:
            raise
        except Exception as error:
            self._left_alone(error)
            raise StoreAway from error
        self._pause = FIRST_PAUSE
        return result

    def _left_alone(self, error: Exception) -> None:
        now = self._clock.monotonic()
        if now < self._away_until:
            return  # one of several that were waiting: the first has said it
        self.failures += 1
        self._away_until = now + self._pause
        log.warning("the shared cache is away", extra={"error": type(error).__name__, "pause": self._pause})
        self._pause = min(2 * self._pause, LONGEST_PAUSE)


async def within(budget: float, command: Callable[[], Awaitable[T]], background: Background) -> T:
    """The result of ``command``. Raises what it raises, and TimeoutError after ``budget`` seconds.

    It then goes on in the background, as long as its client lets it: a connection that was slow to make is
    there next time.
    """
    running = background.spawn(_run(command), name="shared cache", awaited=True)
    await asyncio.wait([running], timeout=budget)
    if not running.done():
        raise TimeoutError
    return running.result()


def to_milliseconds(seconds: float) -> int:
    """At least one: stores take none for an error."""
    return max(1, int(seconds * 1000))


async def _run(command: Callable[[], Awaitable[T]]) -> T:
    return await command()
