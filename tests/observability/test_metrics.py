"""Counters as Prometheus reads them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from proxy.observability.metrics import Gauges, Metrics, ServerGauges
from proxy.observability.prometheus import MetricsCollector


def scrape(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    registry = CollectorRegistry()
    gauges = Gauges(
        lookups={"hit": 5, "miss": 1},
        entries=7,
        connections={("orders", "idle"): 2},
        evictions=3,
        renewals=4,
        shared_failures=1,
        revocations_owed=2,
        revocations_unheard_for=9.0,
        servers={
            "okta": ServerGauges(breaker_open=True, rate_limit_remaining=12),
            "entra": ServerGauges(keys_age=7.0, assertion_left=-3.0, certificate_left=60.0),
        },
    )
    registry.register(MetricsCollector(metrics, lambda: gauges))
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_metric_of_the_contract_is_there():
    """O-03: names, labels and values as promised."""
    metrics = Metrics()
    metrics.count_request("orders", 200, 0.002)
    metrics.count_request("orders", 200, 0.2)
    metrics.count_exchange("okta", "ok", 0.04)
    metrics.rejected["subject_token_expired"] += 1
    metrics.reloads["ok"] += 1
    metrics.broken_off["orders"] += 1
    metrics.departures["before_response"] += 1
    metrics.loop_lag.observe(0.0001)
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
        ("obo_token_cache_evictions_total", {}, 3),
        ("obo_token_cache_renewals_total", {}, 4),
        ("obo_shared_cache_failures_total", {}, 1),
        ("obo_revocations_owed", {}, 2),
        ("obo_revocations_unheard_seconds", {}, 9),
        ("obo_authorization_server_breaker_open", {"authorization_server": "okta"}, 1),
        ("obo_authorization_server_rate_limit_remaining", {"authorization_server": "okta"}, 12),
        ("obo_authorization_server_signing_keys_age_seconds", {"authorization_server": "entra"}, 7),
        ("obo_client_assertion_expires_seconds", {"authorization_server": "entra"}, -3),
        ("obo_client_certificate_expires_seconds", {"authorization_server": "entra"}, 60),
        ("obo_responses_broken_off_total", {"route": "orders"}, 1),
        ("obo_departures_total", {"phase": "before_response"}, 1),
        ("obo_event_loop_lag_seconds_count", {}, 1),
        ("obo_log_lines_dropped_total", {}, 0),
    ]:
        assert found[name, tuple(sorted(labels.items()))] == value
    unknown = ("obo_authorization_server_rate_limit_remaining", (("authorization_server", "entra"),))
    assert unknown not in found, "what is not known has no sample"
