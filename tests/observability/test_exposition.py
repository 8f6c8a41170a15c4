"""The text that Prometheus reads, and how long it keeps the loop."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from proxy.observability.exposition import LINES, render
from proxy.observability.metrics import Gauges, Metrics
from proxy.observability.prometheus import MetricsCollector


async def render_in_turns(metrics: Metrics) -> tuple[bytes, int]:
    """The text, and how many turns of the loop it took."""
    registry = CollectorRegistry()
    registry.register(MetricsCollector(metrics, lambda: Gauges({}, 0, {})))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    text = await render(registry)
    counting.cancel()
    assert text == generate_latest(registry)
    return text, turns


async def test_many_lines_are_written_in_many_turns_of_the_loop():
    """C-17: the text is the library's; requests are served between its parts."""
    metrics = Metrics()
    for number in range(3 * LINES):
        metrics.count_request(f"r{number}", 200, 0.1, "")
    text, turns = await render_in_turns(metrics)
    assert turns + 1 >= text.count(b"\n") / LINES


async def test_few_lines_are_written_in_one():
    """O-03: a scrape is answered in time, however long a turn of a busy loop is."""
    _, turns = await render_in_turns(Metrics())
    assert turns <= 1
