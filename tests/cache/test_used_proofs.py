"""Each proof once, within bounds."""

from __future__ import annotations

import gc
import sys

import pytest

from proxy.cache.used_proofs import MOST, SLOT, UsedProofs
from proxy.errors import Overloaded, ProofInvalid, ProofUncheckable
from proxy.runtime import STEPS
from tests.support.issuer import NOW, StillClock


class Shared:
    """Replicas that have or have not seen a proof."""

    def __init__(self, answer=True):
        self.answer = answer
        self.claims = []

    async def claim(self, name, seconds):
        self.claims.append((name, seconds))
        if self.answer is None:
            raise ProofUncheckable
        return self.answer


async def test_once():
    used = UsedProofs(StillClock())
    await used.use("key", "one", NOW + 90, None)
    await used.use("key", "two", NOW + 90, None)
    await used.use("other", "one", NOW + 90, None)
    for ends_at in (NOW + 90, NOW + 1):
        with pytest.raises(ProofInvalid):
            await used.use("key", "one", ends_at, None)


async def test_it_is_remembered_to_its_end_and_not_for_long_after():
    clock = StillClock()
    used = UsedProofs(clock)
    await used.use("key", "one", NOW + 90, None)
    clock.advance(90)
    with pytest.raises(ProofInvalid):
        await used.use("key", "one", NOW + 90, None)
    clock.advance(SLOT)
    await used.use("key", "two", clock.now + 90, None)
    assert len(used) == 1


async def test_what_ends_together_is_forgotten_a_few_at_a_time():
    """C-17: with each proof that comes some of them; the collector looks through none."""
    clock = StillClock()
    used = UsedProofs(clock)
    for number in range(10 * STEPS):
        await used.use("key", str(number), NOW + 90, None)
    assert not any(gc.is_tracked(slot.names) for slot in used._slots.values())
    clock.advance(90 + SLOT)
    left = []
    for number in range(11):
        await used.use("other", str(number), clock.now + 90, None)
        left.append(len(used))
    assert left[0] == 9 * STEPS + 1
    assert left[-1] == 11
    assert len(used._slots) == 1


@pytest.mark.parametrize("seconds", [3600, -60])
async def test_a_clock_that_is_set(seconds):
    """And set right again: meanwhile nothing is forgotten that could then be used again."""
    clock = StillClock()
    used = UsedProofs(clock)
    await used.use("key", "one", NOW + 90, None)
    clock.now += seconds
    await used.use("key", "two", clock.now + 90, None)
    if seconds > 0:
        clock.now -= seconds
    else:
        clock.advance(100)  # by the other clock its time is over
    with pytest.raises(ProofInvalid):
        await used.use("key", "one", NOW + 90, None)


@pytest.mark.parametrize(
    ("windows", "complete_since"),
    [([90], 0), ([90, 90], 0), ([360, 90], 0), ([90, 360], NOW - 90), ([360, 90, 360], NOW - 90)],
)
def test_what_was_remembered_for_less_long(windows, complete_since):
    used = UsedProofs(StillClock())
    for window in windows:
        used.widen(window)
    assert used.complete_since == complete_since


async def test_there_is_a_bound():
    """What cannot be remembered is not taken, and nothing is forgotten before its time."""
    clock = StillClock()
    used = UsedProofs(clock, most=2)
    await used.use("key", "one", NOW + 90, None)
    await used.use("key", "two", NOW + 90, None)
    with pytest.raises(Overloaded):
        await used.use("key", "three", NOW + 90, None)
    with pytest.raises(ProofInvalid):
        await used.use("key", "one", NOW + 90, None)
    clock.advance(90 + SLOT)
    await used.use("key", "three", clock.now + 90, None)


async def test_others_are_asked():
    shared = Shared()
    used = UsedProofs(StillClock())
    await used.use("key", "one", NOW + 90, shared)
    assert [seconds for _, seconds in shared.claims] == [90]
    with pytest.raises(ProofInvalid, match="at another"):
        await used.use("key", "two", NOW + 90, Shared(answer=False))


async def test_others_that_do_not_answer():
    """It fails closed."""
    with pytest.raises(ProofUncheckable):
        await UsedProofs(StillClock()).use("key", "one", NOW + 90, Shared(answer=None))


async def test_what_a_full_window_takes():
    """The figure in the documentation, 55 MB for half a million: by a tenth of them, as sets grow in steps."""
    used = UsedProofs(StillClock())
    for number in range(MOST // 10):
        await used.use("key", str(number), NOW + 90 + number % 90, None)
    names = sum(sys.getsizeof(name) for slot in used._slots.values() for name in slot.names)
    size = names + sum(sys.getsizeof(slot.names) for slot in used._slots.values())
    assert len(used) == MOST // 10
    assert 10 * size < 65_000_000
