"""The workers' metrics and their supervisor's, in one text of Prometheus' format."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from ...observability.exposition import render
from .tally import CUMULATIVE, OWN, Counts, Series, Tally

LARGEST = (
    "_info",
    "_seconds",
    "_ratio",
    "_open",
    "_user_revocations",
)  # gauges of which the largest says more than the sum
SMALLEST = ("_remaining", "_expires_seconds")


class Scrape:
    """Reads what workers answer, and writes what they have counted together."""

    def __init__(self) -> None:
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)

    def see(self, tally: Tally, text: str) -> None:
        """``text`` is what the tally's worker answers now. Raises ValueError."""
        tally.see(parse_metrics(text))

    def merge(self, counts: Counts, tallies: Mapping[str, Tally]) -> Collector:
        """The workers' ``tallies``, with what the supervisor counts itself."""
        own = Tally()
        own.see([*_build_families(counts), *self._process.collect()])
        return _Merged(merge_metrics({"supervisor": own, **tallies}))

    async def write(self, merged: Collector) -> bytes:
        return await render(merged)


class _Merged(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _build_families(counts: Counts) -> Iterator[Metric]:
    reloads = CounterMetricFamily(
        "obo_config_reloads", "Times the configuration was loaded again", labels=("outcome",)
    )
    for outcome, number in counts.reloads.items():
        reloads.add_metric([outcome], number)
    restarts = CounterMetricFamily("obo_worker_restarts", "Workers replaced", labels=("worker",))
    for worker, number in counts.restarts.items():
        restarts.add_metric([str(worker)], number)
    yield from (reloads, restarts)
    yield GaugeMetricFamily("obo_workers", "Workers that serve", value=counts.serving)


def parse_metrics(text: str) -> list[Metric]:
    """Prometheus' text format. Raises ValueError."""
    return list(text_string_to_metric_families(text))


def merge_metrics(tallies: Mapping[str, Tally]) -> list[Metric]:
    """Counters and histograms added up by series, gauges too or their largest, a process's own by ``worker``."""
    merged: dict[str, Metric] = {}
    for tally in tallies.values():
        for name, family in tally.families.items():
            merged.setdefault(name, Metric(name, family.documentation, family.type))
    totals: defaultdict[Series, float] = defaultdict(float)
    for tally in tallies.values():
        for series, value in tally.counters():
            totals[series] += value
    totals.update(_merge_gauges(tallies.values()))
    for (of, sample_name, labels), value in totals.items():
        merged[of].add_sample(sample_name, dict(sorted(labels)), value)
    for worker, tally in tallies.items():
        for family, sample in _samples(tally, own=True):
            merged[family.name].samples.append(
                Sample(sample.name, sample.labels | {"worker": worker}, sample.value)
            )
    for metric in merged.values():
        metric.samples = _sort(metric)
    return list(merged.values())


def _merge_gauges(tallies: Iterable[Tally]) -> Iterator[tuple[Series, float]]:
    found: defaultdict[Series, list[float]] = defaultdict(list)
    for tally in tallies:
        for family, sample in _samples(tally, own=False):
            if family.type not in CUMULATIVE:
                found[family.name, sample.name, frozenset(sample.labels.items())].append(sample.value)
    for series, values in found.items():
        yield series, _choose(series[0])(values)


def _choose(family: str) -> Callable[[Iterable[float]], float]:
    if family.endswith(SMALLEST):
        return min
    return max if family.endswith(LARGEST) else sum


def _samples(tally: Tally, *, own: bool) -> Iterator[tuple[Metric, Sample]]:
    for family in tally.families.values():
        if family.name.startswith(OWN) == own:
            for sample in family.samples:
                yield family, sample


def _sort(metric: Metric) -> list[Sample]:
    """By series, the buckets of one in the order of their bounds."""

    def key(sample: Sample) -> tuple[list[tuple[str, str]], str, float]:
        labels = dict(sample.labels)
        bound = float(labels.pop("le", "0"))
        return sorted(labels.items()), sample.name, bound

    return sorted(metric.samples, key=key)
