"""What is counted, as plain integers; a collector turns them into Prometheus' text when it is asked.

Labels are names from the configuration, codes and statuses: never anything that a caller chose.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # s


class Histogram:
    """Counts of seconds by bucket, and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound, as Prometheus wants them."""
        cumulated = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], self.counts, strict=True):
            cumulated += count
            found.append((bound, cumulated))
        return found


class Metrics:
    """The counters of one process. Routes that none matched are counted under an empty name."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.request_seconds: dict[str, Histogram] = {}
        self.exchanges: Counter[tuple[str, str]] = Counter()
        self.exchange_seconds: dict[str, Histogram] = {}
        self.rejected: Counter[str] = Counter()
        self.reloads: Counter[str] = Counter()

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """A request has ended; ``status`` is 499 where the caller left before an answer."""
        self.requests[route, status] += 1
        histogram = self.request_seconds.get(route)
        if histogram is None:
            histogram = self.request_seconds[route] = Histogram()
        histogram.observe(seconds)

    def count_exchange(self, authorization_server: str, outcome: str, seconds: float) -> None:
        """A call at a token URL has ended; ``outcome`` is ``ok`` or the code of its error."""
        self.exchanges[authorization_server, outcome] += 1
        self.exchange_seconds.setdefault(authorization_server, Histogram()).observe(seconds)


class Gauges(NamedTuple):
    """What the running parts count themselves.

    ``lookups`` in the token cache by result, ``entries`` in it, ``connections`` by ``(upstream, state)``.
    """

    lookups: Mapping[str, int]
    entries: int
    connections: Mapping[tuple[str, str], int]


class MetricsCollector(Collector):
    """Reads ``Metrics`` and the running parts' ``Gauges`` at the time of a scrape."""

    def __init__(self, metrics: Metrics, read_gauges: Callable[[], Gauges]) -> None:
        self._metrics = metrics
        self._read_gauges = read_gauges

    def collect(self) -> Iterator[Metric]:
        seen = self._metrics
        gauges = self._read_gauges()
        yield _counter("obo_requests", "Requests ended", ("route", "status"), seen.requests.items())
        yield _histogram("obo_request_duration_seconds", "Time of a request", "route", seen.request_seconds)
        yield _counter(
            "obo_exchanges",
            "Calls at a token URL",
            ("authorization_server", "outcome"),
            seen.exchanges.items(),
        )
        yield _histogram(
            "obo_exchange_duration_seconds",
            "Time of a call at a token URL",
            "authorization_server",
            seen.exchange_seconds,
        )
        lookups = [((result,), count) for result, count in gauges.lookups.items()]
        yield _counter("obo_token_cache_lookups", "Look-ups in the token cache", ("result",), lookups)
        yield GaugeMetricFamily("obo_token_cache_entries", "Tokens in the cache", value=gauges.entries)
        rejected = [((code,), count) for code, count in seen.rejected.items()]
        yield _counter("obo_subject_tokens_rejected", "Subject tokens not accepted", ("code",), rejected)
        connections = GaugeMetricFamily(
            "obo_upstream_connections", "Upstream connections", labels=("upstream", "state")
        )
        for labels, count in gauges.connections.items():
            connections.add_metric(labels, count)
        yield connections
        reloads = [((outcome,), count) for outcome, count in seen.reloads.items()]
        yield _counter(
            "obo_config_reloads", "Times the configuration was loaded again", ("outcome",), reloads
        )


def _counter(
    name: str, text: str, labels: tuple[str, ...], counts: Iterable[tuple[tuple[object, ...], int]]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts:
        family.add_metric([str(value) for value in values], count)
    return family


def _histogram(
    name: str, text: str, label: str, histograms: Mapping[str, Histogram]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=(label,))
    for value, histogram in histograms.items():
        family.add_metric([value], buckets=histogram.buckets(), sum_value=histogram.total)
    return family
