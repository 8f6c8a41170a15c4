"""The last hour, in samples."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from proxy.observability.history import LENGTH, Counts, History, estimate_quantile, merge
from proxy.observability.metrics import BOUNDS, Gauges, Metrics


class Clock:
    now = 0.0

    def time(self) -> float:
        return 1_000_000 + self.now

    def monotonic(self) -> float:
        return self.now


class Stage:
    """Counters and a history of them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.metrics = Metrics()
        self.lookups = Counter(hit=0, miss=0)
        self.history = History(self.metrics, lambda: Gauges(self.lookups, 7, {}), self.clock)

    def pass_ten_seconds(self, requests: int = 0, status: int = 200) -> None:
        for _ in range(requests):
            self.metrics.count_request("orders", status, 0.003)
        self.lookups["hit"] += requests
        self.clock.now += 10
        self.history.sample()


def test_a_sample_holds_what_was_added():
    """Not the totals: each sample counts its own ten seconds."""
    stage = Stage()
    for requests in (3, 0, 5):
        stage.pass_ten_seconds(requests)
    assert [sample.counts.requests for sample in stage.history.samples] == [3, 0, 5]
    assert [sample.counts.hits for sample in stage.history.samples] == [3, 0, 5]
    assert [sample.seconds for sample in stage.history.samples] == [10, 10, 10]
    assert stage.history.samples[-1].entries == 7


def test_refusals_and_failures_are_told_apart():
    """4xx and 5xx each have their own count; exchanges count as failed unless they went well."""
    stage = Stage()
    stage.metrics.count_exchange("okta", "ok", 0.05)
    stage.metrics.count_exchange("okta", "exchange_denied", 0.05)
    for status in (200, 404, 503, 503):
        stage.metrics.count_request("orders", status, 0.001)
    stage.pass_ten_seconds()
    counts = stage.history.samples[-1].counts
    assert (counts.requests, counts.refused, counts.failed) == (4, 1, 2)
    assert (counts.exchanges, counts.failed_exchanges) == (2, 1)


def test_it_is_bounded():
    """One hour, and no more."""
    stage = Stage()
    for _ in range(LENGTH + 10):
        stage.pass_ten_seconds()
    assert len(stage.history.samples) == LENGTH


def test_the_last_minute_reaches_up_to_now():
    """Five samples, and what has come since."""
    stage = Stage()
    for requests in range(10):
        stage.pass_ten_seconds(requests)
    stage.metrics.count_request("orders", 200, 0.001)
    stage.clock.now += 4
    recent = stage.history.recent()
    assert (recent.counts.requests, recent.seconds) == (5 + 6 + 7 + 8 + 9 + 1, 54)


def test_points_merge_samples():
    """The oldest first; the last may be shorter."""
    stage = Stage()
    for requests in range(1, 8):
        stage.pass_ten_seconds(requests)
    assert [point.counts.requests for point in stage.history.points(3)] == [6, 15, 7]


def test_counters_that_begin_anew_are_no_negative_counts():
    """A reload with another cache counts its look-ups from nought."""
    stage = Stage()
    stage.pass_ten_seconds(5)
    stage.lookups.clear()
    stage.lookups["hit"] = 2
    stage.pass_ten_seconds()
    assert stage.history.samples[-1].counts.hits == 2


async def test_it_samples_by_itself():
    """From start to stop, once each period."""
    stage = Stage()
    stage.history.start()
    stage.history._tick()
    assert len(stage.history.samples) == 1
    stage.history.stop()
    stage.history.stop()
    await asyncio.sleep(0)
    assert stage.history._timer is None


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ([0, 0], 0.5, None),
        ([4, 0], 0.5, BOUNDS[0] / 2),
        ([0, 4], 0.5, (BOUNDS[0] + BOUNDS[1]) / 2),
        ([2, 2], 0.5, BOUNDS[0]),
        ([0] * len(BOUNDS) + [3], 0.95, BOUNDS[-1]),
    ],
    ids=["none", "first bucket", "second bucket", "on the bound", "beyond the last bound"],
)
def test_quantiles(buckets, share, expected):
    """Evenly spread within a bucket; the last has no upper end."""
    assert estimate_quantile(buckets, share) == (None if expected is None else pytest.approx(expected))


def test_merging_adds_up():
    """Counts and seconds add up, bucket by bucket."""
    stage = Stage()
    stage.pass_ten_seconds(2)
    stage.pass_ten_seconds(3)
    merged = merge(list(stage.history.samples))
    assert merged.counts == Counts(
        requests=5, hits=5, lookups=5, request_seconds=merged.counts.request_seconds
    )
    assert sum(merged.counts.request_seconds) == 5
