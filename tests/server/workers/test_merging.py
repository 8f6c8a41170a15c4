"""One answer out of several workers'."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from proxy.observability.exposition import write
from proxy.server.workers.merging import Tally, add_up, merge_metrics, merge_readiness, parse_metrics


def expose(requests: dict[str, int], seconds: tuple[float, ...] = (), **gauges: float) -> str:
    """What a worker would answer at ``/metrics``."""
    registry = CollectorRegistry()
    counter = Counter("obo_requests", "Requests", ("route",), registry=registry)
    for route, number in requests.items():
        counter.labels(route).inc(number)
    histogram = Histogram("obo_seconds", "Time", buckets=(0.1, 1, 10), registry=registry)
    for one in seconds:
        histogram.observe(one)
    for name, value in gauges.items():
        Gauge(name, name, registry=registry).set(value)
    return generate_latest(registry).decode()


def see(*texts: str) -> dict[str, Tally]:
    tallies = {}
    for number, text in enumerate(texts, 1):
        tallies[str(number)] = Tally()
        tallies[str(number)].see(parse_metrics(text))
    return tallies


def read(tallies: dict[str, Tally]) -> dict[tuple[str, ...], float]:
    """Values by sample name and labels' values, but for the times of creation."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in merge_metrics(tallies)
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


def test_counters_and_histograms_add_up_by_series():
    """O-03: exactly, bucket by bucket; a series that only one worker has stays as it is."""
    merged = read(see(expose({"a": 2, "b": 1}, (0.05, 0.5)), expose({"a": 40}, (0.5, 99))))
    assert merged["obo_requests_total", "a"] == 42
    assert merged["obo_requests_total", "b"] == 1
    buckets = [merged["obo_seconds_bucket", bound] for bound in ("0.1", "1.0", "10.0", "+Inf")]
    assert buckets == [1, 3, 3, 4]
    assert (merged["obo_seconds_count",], merged["obo_seconds_sum",]) == (4, 100.05)


def test_buckets_stand_in_the_order_of_their_bounds():
    """As the text format wants them: 10 after 1, not before."""
    metric = next(one for one in merge_metrics(see(expose({}, (1,)))) if one.name == "obo_seconds")
    bounds = [sample.labels["le"] for sample in metric.samples if "le" in sample.labels]
    assert bounds == ["0.1", "1.0", "10.0", "+Inf"]


@pytest.mark.parametrize(
    ("name", "values", "merged"),
    [
        ("obo_token_cache_entries", (3, 4), 7),
        ("obo_keys_age_seconds", (30, 90), 90),
        ("obo_breaker_open", (1, 1), 1),
        ("obo_rate_limit_remaining", (12, 7), 7),
        ("obo_client_assertion_expires_seconds", (300, -5), -5),
    ],
)
def test_gauges(name: str, values: tuple[float, float], merged: float):
    """Counts of what there is add up; of times and states the largest, of what remains the smallest is told."""
    assert read(see(*(expose({}, **{name: value}) for value in values)))[name,] == merged


def test_what_is_a_processs_own_keeps_its_worker():
    """Memory and descriptors say nothing when added up."""
    merged = read(see(expose({}, process_open_fds=5), expose({}, process_open_fds=6)))
    assert (merged["process_open_fds", "1"], merged["process_open_fds", "2"]) == (5, 6)


def test_no_counter_goes_backwards():
    """What a worker had counted when it died stays; its gauges leave with it; its successor adds its own."""
    tallies = see(expose({"a": 5}, (1,), obo_entries=8), expose({"a": 1}, obo_entries=1))
    tallies["1"].end()
    merged = read(tallies)
    assert (merged["obo_requests_total", "a"], merged["obo_seconds_count",]) == (6, 1)
    assert merged["obo_entries",] == 1
    for number in (1, 2):
        tallies["1"].see(parse_metrics(expose({"a": number}, obo_entries=2)))
        merged = read(tallies)
        assert merged["obo_requests_total", "a"] == 6 + number
        assert merged["obo_entries",] == 3
    tallies["1"].end()
    tallies["1"].end()
    assert read(tallies)["obo_requests_total", "a"] == 8


def test_what_is_merged_can_be_read_again():
    """It is what Prometheus reads."""

    merged = merge_metrics(see(expose({"a": 5}, (1,)), expose({"a": 1})))
    text = "".join(line for family in merged for line in write(family))
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["obo_requests"].type == "counter"
    assert families["obo_seconds"].type == "histogram"
    assert families["obo_seconds"].documentation == "Time"


READY = (200, {"status": "ready", "reasons": []})
DEGRADED = (200, {"status": "degraded", "reasons": ["okta: no keys"]})
UNREADY = (503, {"status": "unready", "reasons": ["okta: no keys"]})


@pytest.mark.parametrize(
    ("answers", "missing", "status", "state", "reasons"),
    [
        ({1: READY, 2: READY}, {}, 200, "ready", []),
        ({1: READY, 2: UNREADY}, {}, 200, "degraded", ["worker 2: okta: no keys"]),
        ({1: DEGRADED}, {2: "is starting"}, 200, "degraded", ["worker 2: is starting", "worker 1: okta: no keys"]),
        ({1: UNREADY}, {}, 503, "unready", ["worker 1: okta: no keys"]),
        ({}, {1: "is starting"}, 503, "unready", ["worker 1: is starting"]),
    ],
    ids=["all", "one", "one starting", "none", "none serving"],
)  # fmt: skip
def test_readiness(answers, missing, status, state, reasons):
    """F-34: one that is ready is enough, and what the others lack is said."""
    assert merge_readiness(answers, missing) == (status, {"status": state, "reasons": reasons})


def test_counts_add_up():
    """Numbers do; what is none is the first worker's."""
    assert add_up([{"purged": 2, "of": "a", "yes": True}, {"purged": 3, "of": "b", "yes": True}]) == {
        "purged": 5,
        "of": "a",
        "yes": True,
    }
