"""From settings to working parts: which part needs which.

One set of parts serves one configuration. A reload builds the next set, which takes over what has not
changed: the cache of access tokens, and each authorization server with what is known of it (``proxy.parts``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from ..authorizer.authorizer import Authorizer
from ..cache.revoker import Revoker
from ..cache.used_proofs import UsedProofs
from ..config import models
from ..config.faults import ConfigurationError, Fault
from ..exchange.record import ExchangeRecord
from ..gateway.gateway import Gateway
from ..gateway.open_streams import OpenStreams
from ..gateway.published_documents import Documents
from ..gateway.token_lifetime import Lifetime
from ..gateway.upstream_request import Route
from ..http.forwarding import Forwarding
from ..http.routes import RouteTable
from ..http.withholding import CredentialNames
from ..observability.server_timing import ServerTiming
from ..observability.tracing import Tracing
from ..parts import Issuer, Parts, TokenStore
from ..runtime import Clock, Sweep
from ..signals.building import SignalDesk, build_desk, build_receivers, build_revoked
from .authentication import (
    build_authentication,
    build_proofs,
    build_schemes,
    build_verifier,
    sees_certificates,
)
from .routes import build_route, build_table


def build_parts(
    settings: models.Settings,
    *,
    clock: Clock,
    on_exchange: Callable[[ExchangeRecord], None],
    desk: SignalDesk | None = None,
    before: Parts | None = None,
    tracing: Tracing | None = None,
    secret: bytes = b"",
) -> Parts:
    """The parts for ``settings``, not yet started; ``before`` are those that serve now.

    ``on_exchange`` hears of each call for a token; ``desk`` is what of revocations outlasts a configuration; with
    ``tracing`` calls to upstreams carry traces on. ``secret`` is what the processes that serve one port have in common,
    and nobody else has. Raises ValueError or OSError for credentials that cannot be used.
    """
    sweep = Sweep()
    desk = desk or build_desk(clock, lambda _: None)
    build_issuer = partial(Issuer, clock=clock, on_exchange=on_exchange)
    kept = _find_unchanged(before, settings.authorization_servers) if before else {}
    issuers = {
        name: kept.get(name) or build_issuer(name, server)
        for name, server in settings.authorization_servers.items()
    }
    orgs = _build_orgs(settings, before.orgs if before else {}, build_issuer)
    store = before.store if before and before.settings.cache == settings.cache else None
    store = store or TokenStore(settings.cache, users=desk.users, clock=clock)
    revoked = build_revoked(settings, desk.users, store.shared)
    verifiers = {
        id_tokens: build_verifier(settings, issuers, store, clock=clock, id_tokens=id_tokens, revoked=revoked)
        for id_tokens in (False, True)
    }
    streams = OpenStreams(desk.users)
    lifetime = Lifetime(clock, streams)
    used_proofs = before.used_proofs if before else UsedProofs(clock)
    proofs = build_proofs(settings, used_proofs, store, clock=clock, secret=secret)
    routes = [
        build_route(
            route,
            settings,
            issuers,
            store,
            build_authentication(route, settings, verifiers, proofs, clock),
            lifetime=lifetime,
            sweep=sweep,
        )
        for route in settings.routes
    ]
    revoker = Revoker(desk.users, store.shared, desk.fellows)
    keys = {issuer: org.keys for issuer, org in orgs.items()}
    table = build_table(settings.routes, routes)
    forwarding = _build_forwarding(settings)
    return Parts(
        settings=settings,
        sweep=sweep,
        issuers=issuers,
        store=store,
        verifiers=tuple(verifiers.values()),
        upstreams={route.name: route.upstream for route in routes},
        bound={route.name: route.bound for route in routes},
        gateway=_build_gateway(settings.listen, table, forwarding, tracing),
        authorizer=_build_authorizer(settings, table, routes, forwarding),
        documents=_build_documents(settings, issuers),
        required_scopes={route.name: route.required_scopes for route in settings.routes},
        users=desk.users,
        revoker=revoker,
        streams=streams,
        orgs=orgs,
        receivers=build_receivers(settings, keys, desk, revoker, background=store.background, clock=clock),
        schemes=build_schemes(settings),
        used_proofs=used_proofs,
        on_start=[issuer.server.prepare_authorities() for issuer in kept.values()],
    )


def build_tracing(settings: models.Tracing) -> Tracing | None:
    """None where nothing is traced: OpenTelemetry is not even imported then. Raises ConfigurationError."""
    if settings.otlp_endpoint is None:
        return None
    try:
        from ..observability.opentelemetry_spans import Spans  # noqa: PLC0415 - an extra, needed here alone
    except ImportError as error:
        message = "needs OpenTelemetry: pip install 'obo-proxy[otel]'"
        raise ConfigurationError((Fault("tracing.otlp_endpoint", message),)) from error
    try:
        return Spans(settings.otlp_endpoint)
    except ValueError as error:
        raise ConfigurationError((Fault("tracing.otlp_endpoint", str(error)),)) from error


def _build_orgs(
    settings: models.Settings,
    before: Mapping[str, Issuer],
    build_issuer: Callable[[str, models.AuthorizationServer], Issuer],
) -> dict[str, Issuer]:
    """By issuer, each with its keys: reached as the authorization server is, and ``before``'s where it is the same."""
    orgs: dict[str, Issuer] = {}
    for entry in settings.signals:
        server = settings.authorization_servers[entry.authorization_server]
        reached = models.AuthorizationServer(
            issuer=entry.issuer,
            jwks_url=entry.jwks_url,
            timeout=server.timeout,
            ca_file=server.ca_file,
            proxy_url=server.proxy_url,
            allow_http=server.allow_http,
        )
        org = before.get(entry.issuer)
        if org is None or org.settings != reached:
            org = build_issuer(entry.authorization_server, reached)
        orgs[entry.issuer] = org
    return orgs


def _find_unchanged(before: Parts, servers: Mapping[str, models.AuthorizationServer]) -> dict[str, Issuer]:
    return {name: issuer for name, issuer in before.issuers.items() if servers.get(name) == issuer.settings}


def _build_forwarding(settings: models.Settings) -> Forwarding:
    """Wherever one route's callers put a credential, no route sends it on."""
    places = [route.token_in for route in settings.routes]
    actors = [route.actor for route in settings.routes if route.actor]
    headers = [place.header for place in places] + [actor.header for actor in actors]
    names = CredentialNames(filter(None, headers), filter(None, (place.query for place in places)))
    listen = settings.listen
    return Forwarding(listen.trusted_proxies, names, listen.strip_headers, listen.external_url)


def _build_gateway(
    listen: models.Listen, table: RouteTable[Route], forwarding: Forwarding, tracing: Tracing | None
) -> Gateway:
    timing = ServerTiming() if listen.server_timing else None
    observers = [observer for observer in (tracing, timing) if observer is not None]
    return _find_gateway(http2=listen.http2)(table, forwarding, observers)


def _find_gateway(*, http2: bool) -> type[Gateway]:
    if not http2:
        return Gateway
    from ..gateway.http2_gateway import Http2Gateway  # noqa: PLC0415 - who does not speak it does without

    return Http2Gateway


def _build_authorizer(
    settings: models.Settings,
    table: RouteTable[Route],
    routes: Iterable[Route],
    forwarding: Forwarding,
) -> Authorizer | None:
    if settings.authorizer is None:
        return None
    return Authorizer(
        table,
        forwarding,
        {route.name: route for route in routes},
        scopes={route.name: route.scopes for route in settings.routes},
        allowed_peers=settings.authorizer.allowed_peers or None,
        gives_tokens=settings.authorizer.on_this_machine,
    )


def _build_documents(settings: models.Settings, issuers: dict[str, Issuer]) -> Documents | None:
    """None where nothing is published, so that requests need not ask."""
    if not settings.protected_resource_metadata and settings.publish_jwks is None:
        return None

    def read_jwks() -> Mapping[str, Any]:
        published = [key for issuer in issuers.values() for key in issuer.server.public_jwks()["keys"]]
        return {"keys": [key for number, key in enumerate(published) if key not in published[:number]]}

    table = build_table(settings.routes, settings.routes) if settings.protected_resource_metadata else None
    accepted = {entry.authorization_server for entry in settings.subject_tokens}
    return Documents(
        table,
        issuers=[issuers[name].settings.issuer for name in sorted(accepted)],
        schemes=build_schemes(settings),
        certificates=sees_certificates(settings.listen),
        jwks_path=settings.publish_jwks,
        read_jwks=read_jwks,
    )
