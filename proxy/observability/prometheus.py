"""Everything counted, as Prometheus asks for it: read from plain integers at the time of a scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from .logs import dropped_lines
from .metrics import Gauges, Histogram, Metrics, ServerGauges

Labels = tuple[object, ...]
Samples = Iterable[tuple[Labels, float]]

# Name, what it is, and how it is read; what is not known has no sample.
_SERVER_GAUGES: tuple[tuple[str, str, Callable[[ServerGauges], float | None]], ...] = (
    (
        "breaker_open",
        "1 while calls are answered at once, after repeated failures",
        lambda it: it.breaker_open,
    ),
    ("held_seconds", "Time for which no call is made, as it asked", lambda it: it.held_for),
    ("calls_in_flight", "Calls under way at the token URL", lambda it: it.in_flight),
    ("calls_waiting", "Calls that wait for their turn", lambda it: it.waiting),
    ("rate_limit_remaining", "Calls left in its window, as it last said", lambda it: it.rate_limit_remaining),
    ("signing_keys_age_seconds", "Time since its keys were fetched", lambda it: it.keys_age),
)
_CLIENT_GAUGES: tuple[tuple[str, str, Callable[[ServerGauges], float | None]], ...] = (
    (
        "assertion_expires_seconds",
        "Time until our assertion ends; below 0 it has",
        lambda it: it.assertion_left,
    ),
    (
        "certificate_expires_seconds",
        "Time until our certificate ends; below 0 it has",
        lambda it: it.certificate_left,
    ),
)


class MetricsCollector(Collector):
    """Reads ``Metrics`` and the running parts' ``Gauges``."""

    def __init__(self, metrics: Metrics, read_gauges: Callable[[], Gauges]) -> None:
        self._metrics = metrics
        self._read_gauges = read_gauges

    def collect(self) -> Iterator[Metric]:
        gauges = self._read_gauges()
        yield from self._collect_requests()
        yield from _collect_cache(gauges)
        yield from _collect_servers(gauges.servers)
        yield _gauge(
            "obo_upstream_connections",
            "Upstream connections; waiting: callers who wait for one",
            ("upstream", "state"),
            gauges.connections.items(),
        )

    def _collect_requests(self) -> Iterator[Metric]:
        seen = self._metrics
        yield _count_requests(seen)
        yield _histogram("obo_request_duration_seconds", "Time of a request", "route", seen.request_seconds)
        by_server = ("authorization_server", "outcome", "leg")  # the last for two legs alone
        yield _counter("obo_exchanges", "Calls for a token ended", by_server, seen.exchanges.items())
        yield _histogram(
            "obo_exchange_duration_seconds", "Time of a call for a token", by_server[0], seen.exchange_seconds
        )
        for name, text, label, counts in (
            ("obo_subject_tokens_rejected", "Subject tokens not accepted", "code", seen.rejected),
            ("obo_config_reloads", "Times the configuration was loaded again", "outcome", seen.reloads),
            ("obo_responses_broken_off", "Responses that an upstream did not end", "route", seen.broken_off),
            ("obo_departures", "Callers who left before their response was whole", "phase", seen.departures),
            ("obo_http2_requests", "Requests that came by HTTP/2", "kind", seen.http2),
        ):
            yield _counter(name, text, (label,), _by_one_label(counts))
        labels = ("authorization_server", "signal", "outcome")
        yield _counter("obo_signals", "Signals of orgs that were answered", labels, seen.signals.items())
        yield _histogram("obo_event_loop_lag_seconds", "Lateness of a timer", None, {"": seen.loop_lag})
        yield _counter(
            "obo_log_lines_dropped", "Log lines that nobody took in time", (), [((), dropped_lines())]
        )


def _count_requests(seen: Metrics) -> CounterMetricFamily:
    """Those that gateways asked about have a label more; to Prometheus the others' is empty."""
    forwarded = Counter(seen.requests)
    for (_, route, status), count in seen.asked.items():
        forwarded[route, status] -= count
    family = _counter("obo_requests", "Requests ended", ("route", "status"), forwarded.items())
    for (dialect, route, status), count in seen.asked.items():
        labels = {"dialect": dialect, "route": route, "status": str(status)}
        family.add_sample("obo_requests_total", labels, count)
    return family


def _collect_cache(gauges: Gauges) -> Iterator[Metric]:
    yield _counter(
        "obo_token_cache_lookups", "Look-ups in the token cache", ("result",), _by_one_label(gauges.lookups)
    )
    yield _gauge("obo_token_cache_entries", "Tokens in the cache", (), [((), gauges.entries)])
    yield _counter("obo_token_cache_evictions", "Entries that left for others", (), [((), gauges.evictions)])
    yield _counter(
        "obo_token_cache_renewals", "Entries renewed in the background", (), [((), gauges.renewals)]
    )
    if gauges.shared_failures is not None:
        yield _counter(
            "obo_shared_cache_failures", "Times the shared cache was away", (), [((), gauges.shared_failures)]
        )
    for name, text, value in (
        ("obo_revocations_owed", "Purges that other replicas are not told yet", gauges.revocations_owed),
        (
            "obo_revocations_unheard_seconds",
            "Time for which other replicas' purges could not be heard",
            gauges.revocations_unheard_for,
        ),
        (
            "obo_user_revocations",
            "Users of whom tokens that were issued before a signal are refused",
            gauges.user_revocations,
        ),
    ):
        if value is not None:
            yield _gauge(name, text, (), [((), value)])


def _collect_servers(servers: Mapping[str, ServerGauges]) -> Iterator[Metric]:
    label = ("authorization_server",)
    for prefix, gauges in (("authorization_server", _SERVER_GAUGES), ("client", _CLIENT_GAUGES)):
        for name, text, read in gauges:
            known = [((server,), value) for server, it in servers.items() if (value := read(it)) is not None]
            yield _gauge(f"obo_{prefix}_{name}", text, label, known)
    failures = [((server,), it.keys_failures) for server, it in servers.items()]
    yield _counter(
        "obo_authorization_server_signing_keys_failures", "Times its keys were not to be had", label, failures
    )


def _by_one_label(counts: Mapping[str, int]) -> Iterator[tuple[Labels, float]]:
    return (((label,), count) for label, count in counts.items())


def _counter(name: str, text: str, labels: tuple[str, ...], counts: Samples) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts:
        family.add_metric([str(value) for value in values], count)
    return family


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric([str(value) for value in values], value)
    return family


def _histogram(
    name: str, text: str, label: str | None, histograms: Mapping[str, Histogram]
) -> HistogramMetricFamily:
    """``label`` is None for a histogram that has no label."""
    family = HistogramMetricFamily(name, text, labels=(label,) if label else ())
    for value, histogram in histograms.items():
        buckets = histogram.buckets()
        family.add_metric([value] if label else [], buckets=buckets, sum_value=histogram.total)
    return family
