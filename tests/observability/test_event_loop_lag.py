"""How late the event loop comes to what is due."""

from __future__ import annotations

import asyncio
import time

import pytest

from proxy.observability import event_loop_lag
from proxy.observability.event_loop_lag import LoopLag


class Seen:
    """What was observed."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.came = asyncio.Event()

    def observe(self, value: float) -> None:
        self.values.append(value)
        self.came.set()


@pytest.fixture(autouse=True)
def short_period(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop_lag, "PERIOD", 0.01)


async def test_a_blocked_loop_shows():
    """F-32: what every request on it has waited for, and it is looked at again afterwards."""
    seen = Seen()
    lag = LoopLag(seen)
    lag.start()
    time.sleep(0.1)  # noqa: ASYNC251  what should never happen
    async with asyncio.timeout(5):
        await seen.came.wait()
        assert seen.values[0] >= 0.08
        seen.came.clear()
        await seen.came.wait()
    lag.stop()


async def test_it_ends():
    """F-36: no timer is left; twice is no harm."""
    seen = Seen()
    lag = LoopLag(seen)
    lag.start()
    lag.stop()
    lag.stop()
    await asyncio.sleep(0.03)
    assert seen.values == []
