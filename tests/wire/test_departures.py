"""However many callers leave, whenever they do: nothing of them stays."""

from __future__ import annotations

import asyncio
import gc
import itertools

from .departures import PLACES, memory, open_files, staged

VISITS = 1500
ALLOWED = 8 << 20  # bytes


async def test_nothing_is_left_of_those_who_leave():
    """F-20, F-22: five times the pool's size come and go at random; then every place can be taken, and files,
    tasks and memory are where they were."""
    async with staged() as stage:
        visits = itertools.count()
        await stage.churn(lambda: next(visits) < VISITS // 5)
        await stage.is_at_rest()
        await stage.fill()
        await stage.is_at_rest()
        gc.collect()
        files, tasks, before = open_files(), len(asyncio.all_tasks()), memory()
        await stage.churn(lambda: next(visits) < VISITS)
        await stage.is_at_rest()
        assert stage.left > 500
        assert stage.served > 20
        await stage.fill()
        await stage.is_at_rest()
        gc.collect()
        assert open_files() <= files + 2 * PLACES  # both ends of what is idle in the pool
        assert len(asyncio.all_tasks()) <= tasks + PLACES  # the upstream's own, one for each connection
        assert memory() - before < ALLOWED
