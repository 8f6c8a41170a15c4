"""The guard between requests and the store."""

import asyncio

import pytest

from proxy.cache.shared.store import GuardedStore, StoreAway, StoreRefused
from proxy.runtime import Background

from ...support.issuer import StillClock


class SlowStore:
    """Answers when told to, or fails."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.error: Exception | None = None
        self.answered = 0

    async def get(self, names):
        await self.gate.wait()
        if self.error:
            raise self.error
        self.answered += 1
        return [None for _ in names]


def guard(store, budget=0.0):
    clock, background = StillClock(), Background()
    return GuardedStore(store, clock=clock, background=background, budget=budget), clock, background


async def test_what_takes_too_long_goes_on_without_anyone_waiting():
    """C-21: a connection that is slow to make is there for the next command."""
    store = SlowStore()
    guarded, clock, background = guard(store)
    with pytest.raises(StoreAway):
        await guarded.get([b"n"])
    with pytest.raises(StoreAway):
        await guarded.get([b"n"])
    assert len(background) == 1  # while it is left alone, nothing more is asked
    store.gate.set()
    while len(background):
        await asyncio.sleep(0)
    assert store.answered == 1
    clock.advance(1)
    guarded._budget = 5.0
    assert await guarded.get([b"n"]) == [None]


async def test_a_refusal_is_no_absence():
    """C-21: a store that refuses has answered, so it is asked again."""
    store = SlowStore()
    store.gate.set()
    store.error = StoreRefused("OutOfMemoryError")
    guarded, _, _ = guard(store, budget=5.0)
    for _ in range(2):
        with pytest.raises(StoreRefused):
            await guarded.get([b"n"])
    assert guarded.failures == 0


async def test_many_who_wait_fail_once():
    """C-21: the pause does not grow by the number of those who were waiting."""
    store = SlowStore()
    guarded, clock, _ = guard(store)
    waiting = [asyncio.create_task(guarded.get([b"n"])) for _ in range(50)]
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StoreAway}
    assert guarded.failures == 1
    store.gate.set()
    clock.advance(1)
    store.error = ValueError("garbage")
    guarded._budget = 5.0
    with pytest.raises(StoreAway):
        await guarded.get([b"n"])
    assert guarded.failures == 2
