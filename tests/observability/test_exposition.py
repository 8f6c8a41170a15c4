"""The text that Prometheus reads, and how long it keeps the loop."""

from __future__ import annotations

import asyncio
import math

import pytest
from prometheus_client import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from proxy.observability.exposition import LINES, parse, render, write, write_number
from proxy.observability.families import Family, build_counter, build_gauge, build_histogram
from proxy.observability.metrics import Gauges, Histogram, Metrics
from proxy.observability.prometheus import MetricsCollector

HOSTILE = 'a\\b\\n"c"\nd, e="{}" \\'
FAMILIES = [
    build_counter(
        "obo_requests", "Requests ended", ("status", "route"), [((200, "a"), 3), ((404, HOSTILE), 1)]
    ),
    build_gauge("obo_entries", 'Tokens\nin the \\ "cache"', (), [((), 7.5)]),
    build_gauge("obo_nothing", "Without a sample", ("route",)),
    build_histogram("obo_seconds", "Time", "route", [("r", [("0.1", 1), ("+Inf", 4)], 2.5)]),
    build_histogram("obo_lag", "Lateness", None, [("", Histogram().buckets(), 0.0)]),
]


class Foreign:
    """A family for the library."""

    def __init__(self, *families: Family) -> None:
        self._families = families

    def collect(self):
        for family in self._families:
            metric = Metric(family.name, family.documentation, family.kind)
            for sample in family.samples:
                metric.add_sample(sample.name, dict(sample.labels), sample.value)
            yield metric


def read(families) -> list[object]:
    return [
        (
            family.name,
            family.documentation,
            [(one.name, dict(one.labels), one.value) for one in family.samples],
        )
        for family in families
    ]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_it_is_what_the_library_writes(family: Family):
    """O-03: byte for byte, whatever stands in a label."""
    assert "".join(write(family)) == generate_latest(Foreign(family)).decode()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_it_is_read_as_it_was_written(family: Family):
    """By the library, and by ourselves."""
    text = "".join(write(family))
    assert read(parse(text)) == read([family]) == read(text_string_to_metric_families(text))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1.0"),
        (0.25, "0.25"),
        (1e300, "1e+300"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_numbers(value: float, text: str):
    """As the format has them."""
    assert write_number(value) == text


@pytest.mark.parametrize(
    "text", ["a 1", "# TYPE a gauge\na", "# TYPE a gauge\na{b 1", "# TYPE a gauge\na one"]
)
def test_what_is_no_such_text_is_not_read(text: str):
    """A worker that answers something else is not counted as nothing."""
    with pytest.raises(ValueError, match=r"."):
        parse(text)


async def render_in_turns(metrics: Metrics) -> tuple[bytes, int]:
    """The text, and how many turns of the loop it took."""
    collector = MetricsCollector(metrics, lambda: Gauges({}, 0, {}))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    text = await render(collector.collect())
    counting.cancel()
    assert text == b"".join(line.encode() for family in collector.collect() for line in write(family))
    return text, turns


async def test_many_lines_are_written_in_many_turns_of_the_loop():
    """C-17: requests are served between its parts."""
    metrics = Metrics()
    for number in range(3 * LINES):
        metrics.count_request(f"r{number}", 200, 0.1, "")
    text, turns = await render_in_turns(metrics)
    assert turns + 1 >= text.count(b"\n") / LINES


async def test_few_lines_are_written_in_one():
    """O-03: a scrape is answered in time, however long a turn of a busy loop is."""
    _, turns = await render_in_turns(Metrics())
    assert turns <= 1
