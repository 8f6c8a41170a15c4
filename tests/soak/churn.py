"""Random departures at five times the pool's size, for as long as one likes."""

from __future__ import annotations

import asyncio
import gc
import time

from tests.wire.departures import PLACES, Stage, memory, open_files, staged

ALLOWED = 16 << 20  # bytes that an hour may leave, as much as a second


async def churn(seconds: int) -> bool:
    """Whether all was as before, after a tenth of that time to get warm."""
    async with staged() as stage:
        await come_and_go(stage, seconds / 10)
        before = measure()
        await come_and_go(stage, seconds)
        after = measure()
        print(f"{stage.left} left, {stage.served} stayed; before {show(before)}; after {show(after)}")
        files, tasks, size = (late - early for early, late in zip(before, after, strict=True))
        return files <= 2 * PLACES and tasks <= PLACES and size <= ALLOWED


async def come_and_go(stage: Stage, seconds: float) -> None:
    """Then every place can be taken."""
    end = time.monotonic() + seconds
    await stage.churn(lambda: time.monotonic() < end)
    await stage.is_at_rest()
    await stage.fill()
    await stage.is_at_rest()


def measure() -> tuple[int, int, int]:
    gc.collect()
    return open_files(), len(asyncio.all_tasks()), memory()


def show(measured: tuple[int, int, int]) -> str:
    files, tasks, size = measured
    return f"{files} files, {tasks} tasks, {size / (1 << 20):.1f} MiB"
