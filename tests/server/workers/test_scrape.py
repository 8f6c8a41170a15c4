"""The workers' metrics, and the supervisor's, in one text."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from proxy.server.workers.scrape import Scrape, merge_metrics, parse_metrics
from proxy.server.workers.tally import Counts, Tally


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


async def test_what_is_merged_can_be_read_again():
    """O-03: it is what Prometheus reads, and the supervisor's own counts stand in it."""
    scrape = Scrape()
    tally = Tally()
    scrape.see(tally, expose({"a": 5}, (1,)))
    merged = scrape.merge(Counts({"success": 3}, {1: 2, 2: 0}, 2), {"1": tally, "2": Tally()})
    families = {family.name: family for family in parse_metrics((await scrape.write(merged)).decode())}
    assert families["obo_requests"].type == "counter"
    assert families["obo_seconds"].type == "histogram"
    assert families["obo_seconds"].documentation == "Time"
    (resident,) = families["process_resident_memory_bytes"].samples
    assert resident.labels == {"worker": "supervisor"}
    counted = {
        (one.name, *one.labels.values()): one.value for family in families.values() for one in family.samples
    }
    assert counted["obo_config_reloads_total", "success"] == 3
    assert (counted["obo_worker_restarts_total", "1"], counted["obo_worker_restarts_total", "2"]) == (2, 0)
    assert counted["obo_workers",] == 2
