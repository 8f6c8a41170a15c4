"""Background tasks, of which none fails unheard; what is loaded late; the sweep over all deadlines; the clocks."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from proxy.runtime import PERIOD, Background, Deadline, Late, Sweep, SystemClock, current_request_id


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


async def test_a_task_that_has_ended_is_forgotten():
    """F-36: its result is for whoever waits for it."""
    background = Background()
    assert await background.spawn(asyncio.sleep(0, "result"), name="one") == "result"
    await asyncio.sleep(0)
    assert len(background) == 0


async def test_a_task_inherits_the_request_it_is_for():
    """O-04: what is logged for it names the request."""
    background = Background()
    current_request_id.set("r-1")

    async def read() -> str | None:
        return current_request_id.get()

    task = background.spawn(read(), name="one")
    current_request_id.set("r-2")
    assert await task == "r-1"


async def test_a_deadline_ends_what_takes_too_long():
    with pytest.raises(TimeoutError), Deadline(0.01):
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)  # and what comes afterwards goes on


async def test_a_deadline_that_is_met_ends_nothing():
    with Deadline(0.01):
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)


@pytest.mark.parametrize("seconds", [0.0, 60.0], ids=["at the deadline", "before"])
async def test_a_deadline_leaves_cancellations_as_they_are(seconds: float):
    """Also where both come at once."""

    async def wait() -> None:
        with Deadline(seconds):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    asyncio.get_running_loop().call_later(0.0, task.cancel)
    await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_deadline_leaves_errors_as_they_are():
    with pytest.raises(LookupError), Deadline(60):
        raise LookupError


async def test_a_deadline_is_gone_when_it_has_been_met():
    """Without the garbage collector: what it ends may hold somebody's token."""
    deadline = Deadline(60)
    with deadline:
        await asyncio.sleep(0)
    assert gc.get_referrers(deadline) == []


async def test_a_sweep_tells_its_listeners_the_time():
    """F-30: each period, until it is stopped; a listener may leave while it is told."""
    sweep, told = Sweep(), asyncio.Queue()
    loop = asyncio.get_running_loop()

    def once(now: float) -> None:
        sweep.discard(once)
        told.put_nowait(("once", now))

    sweep.add(once)
    sweep.add(lambda now: told.put_nowait(("always", now)))
    began = loop.time()
    sweep.start()
    async with asyncio.timeout(50 * PERIOD):
        heard = [await told.get() for _ in range(3)]
    sweep.stop()
    assert sorted(name for name, _ in heard) == ["always", "always", "once"]
    assert all(began < now <= loop.time() for _, now in heard)
    sweep.stop()
    await asyncio.sleep(2 * PERIOD)
    assert told.empty()


def test_the_machines_clocks():
    """One may jump, the other never goes back."""
    clock = SystemClock()
    assert clock.time() > 1_700_000_000
    assert clock.monotonic() <= clock.monotonic()


async def test_what_is_late_is_loaded_once_and_in_a_thread():
    """However many ask for it first; the loop's own thread has requests to serve."""
    threads: list[threading.Thread] = []

    def load() -> object:
        threads.append(threading.current_thread())
        return object()

    late = Late(load)
    assert not threads
    found = await asyncio.gather(*(late.get() for _ in range(3)))
    assert {id(one) for one in found} == {id(await late.get())}
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


async def test_what_could_not_be_loaded_is_tried_again():
    """A machine that was out of memory or descriptors for once is no reason to go without metrics."""
    given = iter([OSError("too many open files"), "metrics"])

    def load() -> str:
        one = next(given)
        if isinstance(one, OSError):
            raise one
        return one

    late = Late(load)
    with pytest.raises(OSError, match="too many"):
        await late.get()
    assert await late.get() == "metrics"
