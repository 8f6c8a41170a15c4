"""What many cached users cost: memory, and nothing in any one turn of the event loop that grows with them."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections import Counter
from dataclasses import replace

from proxy.runtime import STEPS, spread

from .soak.users import TOKEN_SIZE, Stage

USERS = 400
EACH = 2.5 * 1024  # bytes beside the tokens' own


async def fill(stage: Stage, tokens: list[str]) -> None:
    for token in tokens:
        await stage.request(token)
        await stage.request(token)
    await stage.settle()


async def test_a_cached_user_takes_little_memory_and_none_of_the_collectors_time():
    """C-17: verdict, entry, access token and note; a full collection looks at none of them."""
    stage = Stage(2 * USERS)
    tokens = stage.mint(0, 2 * USERS)
    await fill(stage, tokens[:USERS])
    gc.collect()
    tracked, places = Counter(map(type, gc.get_objects())), count_places()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        await fill(stage, tokens[USERS:])
        gc.collect()
        each = (tracemalloc.get_traced_memory()[0] - before) / USERS
    finally:
        tracemalloc.stop()
    grown = Counter(map(type, gc.get_objects())) - tracked
    ours = {kind: number for kind, number in grown.items() if is_ours(kind)}
    assert each < EACH + TOKEN_SIZE
    assert sum(ours.values()) < USERS / 2
    assert count_places() - places < USERS / 2


def count_places() -> int:
    """That a full collection looks at in tables."""
    return sum(len(each) for each in gc.get_objects() if isinstance(each, dict | set))


def is_ours(kind: type) -> bool:
    """Whether a cached user may be made of it; the test runner's own objects come and go meanwhile."""
    return kind in {dict, list, set, tuple, bytearray} or kind.__module__.startswith("proxy.")


async def test_what_is_done_to_everything_leaves_the_loop_its_turns():
    """C-17: at most ``STEPS`` in each."""
    done, turns = [0], [0]

    def step(_: int) -> None:
        done[-1] += 1

    async def turn() -> None:
        while len(done) < 9:
            await asyncio.sleep(0)
            done.append(0)
            turns[0] += 1

    async with asyncio.TaskGroup() as group:
        group.create_task(turn())
        group.create_task(spread(step, range(5 * STEPS)))
    assert sum(done) == 5 * STEPS
    assert max(done) <= STEPS


async def test_a_doubt_and_an_end_of_all_are_spread():
    """C-25: the first entries are marked at once, all of them soon; closing leaves nothing."""
    stage = Stage(4 * STEPS)
    stage.cache._settings = replace(stage.cache._settings, revalidate_after=3600.0)
    await fill(stage, stage.mint(0, 3 * STEPS))
    stage.cache.doubt(60)
    marked = sum(entry.in_doubt for entry in stage.cache._entries.all())
    assert marked == STEPS
    await stage.settle()
    assert all(entry.in_doubt for entry in stage.cache._entries.all())
    await stage.cache.aclose()
    await stage.verifier.aclose()
    assert len(stage.cache) == 0
    assert (len(stage.verifier._known), len(stage.verifier._identified)) == (0, 0)
