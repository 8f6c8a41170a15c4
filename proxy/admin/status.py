"""How everything stands, as plain values: what the page shows and ``GET /api/status`` answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

from ..config import models
from ..config.models import show_actor
from ..config.show import build_shown
from ..config.units import shorten
from ..diagnosis.differences import hide_tokens
from ..diagnosis.spending import ALLOWANCE, describe_spending, estimate_spending
from ..observability.history import PERIOD, Sample, estimate_quantile

if TYPE_CHECKING:
    from ..app import App
    from ..cache.shared.revocations import SharedRevocations
    from ..parts import Issuer

POINT = 3  # samples in a point of the plots: half a minute


def build_status(app: App) -> dict[str, Any]:
    """Names, counts and times. Times are epoch seconds, durations seconds, rates per second."""
    now = app.clock.time()
    recent = app.history.recent()
    state, reasons = find_state(app)
    return {
        "status": state,
        "reasons": reasons,
        "version": metadata.version("obo-proxy"),
        "time": now,
        "started_at": app.started_at,
        "recent": _build_point(recent) | {"seconds": recent.seconds},
        "routes": _build_routes(app),
        "authorizer": _build_authorizer(app),
        "authorization_servers": [_build_server(app, name) for name in app.settings.authorization_servers],
        "signals": [_build_signals(app, entry) for entry in app.settings.signals],
        "user_revocations": len(app.parts.users),
        "cache": _build_cache(app),
        "history": {
            "seconds_a_point": PERIOD * POINT,
            "points": [_build_point(point) for point in app.history.points(POINT)],
        },
        "failures": [hide_tokens(asdict(failure)) for failure in app.failures],
    }


def find_state(app: App) -> tuple[str, list[str]]:
    """``ready``, ``degraded``, ``unready`` or ``draining``, and why."""
    if app.draining:
        return "draining", ["shutting down"]
    reasons = app.parts.unready_reasons()
    for name, issuer in app.parts.issuers.items():
        status = issuer.server.status()
        if status.breaker_open:
            reasons.append(f"{name}: does not answer, and is asked only now and then")
        if status.held_for > 0:
            reasons.append(f"{name}: takes no more requests for {status.held_for:.0f} s")
        validity = status.client_validity
        if validity and validity.has_ended(app.clock.time()):
            reasons.append(f"{name}: our {validity.kind} has ended: {validity.file}")
    for org in app.parts.orgs.values():
        if not org.keys.ready:
            reasons.append(f"signals of {org.settings.issuer} are not believed: its keys are not there")
    reasons += _find_unshared(app)
    if not app.parts.ready:
        return "unready", reasons
    return ("degraded" if reasons else "ready"), reasons


def _find_unshared(app: App) -> Iterator[str]:
    """What replicas do not know of each other, and should."""
    shared = app.parts.store.shared
    if shared is not None and (owed := shared.revocations.owed):
        yield f"shared cache: purges not written yet, so that other replicas do not know: {owed}"
    if shared is not None and (seconds := shared.revocations.unheard_for):
        yield f"shared cache: other replicas' purges have not been heard for {seconds:.0f} s"


def _build_point(sample: Sample) -> dict[str, Any]:
    counts, seconds = sample.counts, max(sample.seconds, 1e-9)
    return {
        "at": sample.at,
        "requests": counts.requests / seconds,
        "refused": counts.refused / seconds,
        "failed": counts.failed / seconds,
        "exchanges": counts.exchanges / seconds,
        "failed_exchanges": counts.failed_exchanges / seconds,
        "lookups": counts.lookups / seconds,
        "hit_ratio": counts.hits / counts.lookups if counts.lookups else None,
        "entries": sample.entries,
        "request_p50": estimate_quantile(counts.request_seconds, 0.5),
        "request_p95": estimate_quantile(counts.request_seconds, 0.95),
        "exchange_p50": estimate_quantile(counts.exchange_seconds, 0.5),
        "exchange_p95": estimate_quantile(counts.exchange_seconds, 0.95),
    }


def _build_routes(app: App) -> list[dict[str, Any]]:
    totals: dict[str, dict[str, int]] = {}
    for (name, status), count in app.metrics.requests.items():
        total = totals.setdefault(name, {"requests": 0, "refused": 0, "failed": 0})
        total["requests"] += count
        total["refused"] += count if 400 <= status < 500 else 0
        total["failed"] += count if status >= 500 else 0
    upstreams = {route["name"]: route["upstream"] for route in build_shown(app.settings)["routes"]}
    return [
        _build_route(route, app, upstreams[route.name]) | totals.get(route.name, _NO_REQUESTS)
        for route in app.settings.routes
    ]


_NO_REQUESTS: dict[str, int] = {"requests": 0, "refused": 0, "failed": 0}


def _build_route(route: models.Route, app: App, shown_upstream: str) -> dict[str, Any]:
    upstream = app.parts.upstreams[route.name]
    return {
        "name": route.name,
        "path": route.path,
        "host": route.host,
        "methods": list(route.methods),
        "upstream": shown_upstream,
        "grant": route.grant,
        "authorization_server": app.settings.authorization_server_of(route),
        "identity_provider": route.identity_provider,
        "audience": shorten(route.audience),
        "scopes": list(route.scopes),
        "actor": show_actor(route.actor),
        "id_jags": _build_spending(route, app.settings.cache),
        "connections": {"active": upstream.active, "idle": upstream.idle, "waiting": upstream.waiting},
    }


def _build_spending(route: models.Route, cache: models.Cache) -> dict[str, Any] | None:
    """How many ID-JAGs it costs; None for a route without any."""
    spending = estimate_spending(route, cache)
    if spending is None:
        return None
    told = {"a_day": spending.a_day, "a_month": spending.a_month, "allowance": ALLOWANCE}
    return told | {"told": describe_spending(spending)}


def _build_authorizer(app: App) -> dict[str, Any] | None:
    """Where gateways ask, and what was asked by dialect; None where they may not."""
    authorizer = app.settings.authorizer
    if authorizer is None:
        return None
    requests: Counter[str] = Counter()
    for (dialect, _, _), count in app.metrics.asked.items():
        requests[dialect] += count
    shown = f"[{authorizer.host}]" if ":" in authorizer.host else authorizer.host
    address = authorizer.host if authorizer.socket_path else f"{shown}:{authorizer.port}"
    return {"address": address, "requests": dict(sorted(requests.items()))}


def _build_server(app: App, name: str) -> dict[str, Any]:
    issuer = app.parts.issuers[name]
    accepted = [entry for entry in app.settings.subject_tokens if entry.authorization_server == name]
    outcomes = {
        " ".join([outcome, *(f"(leg {number})" for number in leg)]): count
        for (server, outcome, *leg), count in app.metrics.exchanges.items()
        if server == name and count
    }
    fetches_keys = any(not entry.introspect for entry in accepted)
    return {
        "name": name,
        **asdict(issuer.server.status()),
        "accepts_users": bool(accepted),
        "exchanges": outcomes,
        "signing_keys": _build_keys(issuer) if fetches_keys else None,
        "healthy": _is_healthy(issuer, needs_keys=fetches_keys, now=app.clock.time()),
    }


def _build_signals(app: App, entry: models.Signals) -> dict[str, Any]:
    answered = [
        {"signal": signal, "outcome": outcome, "count": count}
        for (server, signal, outcome), count in app.metrics.signals.items()
        if server == entry.authorization_server and count
    ]
    return {
        "authorization_server": entry.authorization_server,
        "issuer": entry.issuer,
        "path": entry.path,
        "revocation_path": entry.revocation_path,
        "answered": answered,
        "signing_keys": _build_keys(app.parts.orgs[entry.issuer]),
    }


def _build_keys(issuer: Issuer) -> dict[str, Any]:
    return asdict(issuer.keys.status())


def _is_healthy(issuer: Issuer, *, needs_keys: bool, now: float) -> bool:
    status = issuer.server.status()
    if status.client_validity and status.client_validity.has_ended(now):
        return False
    return not status.breaker_open and status.held_for == 0 and (issuer.keys.ready or not needs_keys)


def _build_cache(app: App) -> dict[str, Any]:
    cache, shared = app.parts.store.cache, app.parts.store.shared
    lookups = dict(cache.lookups)
    asked = sum(lookups.values())
    return {
        "entries": len(cache),
        "max_entries": app.settings.cache.max_entries,
        "lookups": lookups,
        "hit_ratio": lookups["hit"] / asked if asked else None,
        "evictions": cache.evictions,
        "renewals": cache.renewals,
        "shared": shared is not None,
        "revocations": None if shared is None else _build_revocations(shared.revocations),
    }


def _build_revocations(revocations: SharedRevocations) -> dict[str, Any]:
    return {"owed": revocations.owed, "unheard_for": revocations.unheard_for}
