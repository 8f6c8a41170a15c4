"""Counters as Prometheus reads them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from proxy.metrics import Gauges, Metrics, MetricsCollector


def scrape(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    registry = CollectorRegistry()
    gauges = Gauges({"hit": 5, "miss": 1}, 7, {("orders", "idle"): 2})
    registry.register(MetricsCollector(metrics, lambda: gauges))
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_metric_of_the_contract_is_there():
    """Names, labels and values as promised."""
    metrics = Metrics()
    metrics.count_request("orders", 200, 0.002)
    metrics.count_request("orders", 200, 0.2)
    metrics.count_exchange("okta", "ok", 0.04)
    metrics.rejected["subject_token_expired"] += 1
    metrics.reloads["ok"] += 1
    found = scrape(metrics)
    for name, labels, value in [
        ("obo_requests_total", {"route": "orders", "status": "200"}, 2),
        ("obo_request_duration_seconds_count", {"route": "orders"}, 2),
        ("obo_request_duration_seconds_bucket", {"route": "orders", "le": "0.0025"}, 1),
        ("obo_request_duration_seconds_bucket", {"route": "orders", "le": "+Inf"}, 2),
        ("obo_request_duration_seconds_sum", {"route": "orders"}, 0.202),
        ("obo_exchanges_total", {"authorization_server": "okta", "outcome": "ok"}, 1),
        ("obo_exchange_duration_seconds_count", {"authorization_server": "okta"}, 1),
        ("obo_token_cache_lookups_total", {"result": "hit"}, 5),
        ("obo_token_cache_entries", {}, 7),
        ("obo_subject_tokens_rejected_total", {"code": "subject_token_expired"}, 1),
        ("obo_upstream_connections", {"upstream": "orders", "state": "idle"}, 2),
        ("obo_config_reloads_total", {"outcome": "ok"}, 1),
    ]:
        assert found[name, tuple(sorted(labels.items()))] == value
