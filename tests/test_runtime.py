"""Background tasks end with whoever began them, and none fails unheard."""

from __future__ import annotations

import asyncio
import gc

import pytest

from proxy.runtime import Background


async def fail() -> None:
    raise ValueError("no such thing")


@pytest.mark.parametrize(("awaited", "lines"), [(False, 1), (True, 0)])
async def test_a_failure_is_heard_once(awaited: bool, lines: int, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody awaits is told as an error; what somebody does is told by them."""
    background = Background()
    task = background.spawn(fail(), name="reload", awaited=awaited)
    await asyncio.wait({task})
    await asyncio.sleep(0)
    told = [(record.levelname, record.msg, getattr(record, "error", None)) for record in caplog.records]
    assert told == [("ERROR", "background task failed", "ValueError")] * lines
    assert not len(background)


async def test_a_failure_that_nobody_took_any_more_is_no_complaint(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio has nothing to say of a task whose waiter left before it failed."""
    background = Background()
    background.spawn(fail(), name="exchange", awaited=True)
    while len(background):
        await asyncio.sleep(0)
    gc.collect()
    assert not caplog.records


async def test_aclose_ends_what_runs() -> None:
    """It cancels the tasks and waits for them."""
    background = Background()
    task = background.spawn(asyncio.Event().wait(), name="endless")
    await background.aclose()
    assert task.cancelled()
    assert not len(background)
