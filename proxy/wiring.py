"""From settings to working parts: which part needs which.

One set of parts serves one configuration. A reload builds the next set, which takes over what has not
changed: the cache of access tokens, and each authorization server with what is known of it (``parts``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .authentication.claims import SubjectTokenPolicy
from .authentication.subject_token import SubjectToken, require_authentication, require_scopes
from .authentication.verifier import Accepted, Verifier
from .authorizer.authorizer import Authorizer
from .cache.access_tokens import AccessTokens
from .cache.key import build_identity
from .config import models
from .config.faults import ConfigurationError, Fault
from .config.route_rules import sends_ours_unasked
from .config.urls import is_loopback
from .exchange.record import ExchangeRecord
from .exchange.token_exchange import TokenRequest
from .gateway.bound_routes import BoundRoutes
from .gateway.caller_credentials import build_take_token
from .gateway.cross_site import CrossSiteGuard
from .gateway.gateway import Gateway
from .gateway.published_documents import Documents
from .gateway.token_fields import TokenFields
from .gateway.token_lifetime import Lifetime
from .gateway.upstream_request import Authentication, Route
from .http.forwarding import Forwarding
from .http.routes import Pattern, RouteTable
from .http.withholding import CredentialNames
from .observability.server_timing import ServerTiming
from .observability.tracing import Tracing
from .parts import Issuer, Parts, TokenStore
from .runtime import Clock, Sweep
from .upstream import Options, Origin, TLSOptions, Upstream, parse_origin
from .upstream.websocket import WebSocketUpstream

T = TypeVar("T")


def build_parts(
    settings: models.Settings,
    *,
    clock: Clock,
    on_exchange: Callable[[ExchangeRecord], None],
    before: Parts | None = None,
    tracing: Tracing | None = None,
) -> Parts:
    """The parts for ``settings``, not yet started; ``before`` are those that serve now.

    ``on_exchange`` hears of each call for a token; with ``tracing`` calls to upstreams carry traces on. Raises
    ValueError or OSError for credentials that cannot be used.
    """
    sweep = Sweep()
    kept = _find_unchanged(before, settings.authorization_servers) if before else {}
    issuers = {
        name: kept.get(name) or Issuer(name, server, clock=clock, on_exchange=on_exchange)
        for name, server in settings.authorization_servers.items()
    }
    store = before.store if before and before.settings.cache == settings.cache else None
    store = store or TokenStore(settings.cache, clock=clock)
    verifiers = {
        id_tokens: build_verifier(settings, issuers, store, clock=clock, id_tokens=id_tokens)
        for id_tokens in (False, True)
    }
    routes = [
        _build_route(route, settings, issuers, store, verifiers, clock=clock, sweep=sweep)
        for route in settings.routes
    ]
    places = [route.token_in for route in settings.routes]
    names = CredentialNames(
        headers=(place.header for place in places if place.header),
        parameters=(place.query for place in places if place.query),
    )
    forwarding = Forwarding(settings.listen.trusted_proxies, names, settings.listen.strip_headers)
    timing = ServerTiming() if settings.listen.server_timing else None
    observers = [observer for observer in (tracing, timing) if observer is not None]
    table = _build_table(settings.routes, routes)
    return Parts(
        settings=settings,
        sweep=sweep,
        issuers=issuers,
        store=store,
        verifiers=tuple(verifiers.values()),
        upstreams={route.name: route.upstream for route in routes},
        bound={route.name: route.bound for route in routes},
        gateway=Gateway(table, forwarding, observers),
        authorizer=_build_authorizer(settings, table, routes, forwarding),
        documents=_build_documents(settings, issuers),
        on_start=[issuer.server.prepare_authorities() for issuer in kept.values()],
    )


def build_tracing(settings: models.Tracing) -> Tracing | None:
    """None where nothing is traced: OpenTelemetry is not even imported then. Raises ConfigurationError."""
    if settings.otlp_endpoint is None:
        return None
    try:
        from .observability.opentelemetry_spans import Spans  # noqa: PLC0415 - an extra, needed here alone
    except ImportError as error:
        message = "needs OpenTelemetry: pip install 'obo-proxy[otel]'"
        raise ConfigurationError((Fault("tracing.otlp_endpoint", message),)) from error
    try:
        return Spans(settings.otlp_endpoint)
    except ValueError as error:
        raise ConfigurationError((Fault("tracing.otlp_endpoint", str(error)),)) from error


def build_verifier(
    settings: models.Settings,
    issuers: dict[str, Issuer],
    store: TokenStore,
    *,
    clock: Clock,
    id_tokens: bool,
) -> Verifier:
    """Who verifies subject tokens, for routes that take access tokens or for those that take ID tokens."""
    cache = settings.cache
    return Verifier(
        [
            _build_accepted(entry, issuers[entry.authorization_server], id_tokens)
            for entry in settings.subject_tokens
        ],
        clock=clock,
        background=store.background,
        build_identity=partial(build_identity, by=cache.key, ignore=frozenset(cache.ignore_claims)),
        size=cache.max_entries,  # as many verdicts as tokens: a hit needs both
    )


def _find_unchanged(before: Parts, servers: Mapping[str, models.AuthorizationServer]) -> dict[str, Issuer]:
    return {name: issuer for name, issuer in before.issuers.items() if servers.get(name) == issuer.settings}


def _build_accepted(entry: models.SubjectTokens, issuer: Issuer, id_tokens: bool) -> Accepted:
    policy = SubjectTokenPolicy(
        issuer=issuer.settings.issuer,
        expected_audience=entry.expected_audience,
        client_ids=frozenset(entry.client_ids),
        required_scopes=entry.required_scopes,
        algorithms=frozenset(entry.algorithms),
        clock_tolerance=entry.clock_tolerance,
        id_tokens=id_tokens,
    )
    if entry.introspect:
        return Accepted(entry.authorization_server, policy, introspect=issuer.server.introspect)
    return Accepted(entry.authorization_server, policy, keys=issuer.keys)


def _build_route(
    route: models.Route,
    settings: models.Settings,
    issuers: dict[str, Issuer],
    store: TokenStore,
    verifiers: dict[bool, Verifier],
    *,
    clock: Clock,
    sweep: Sweep,
) -> Route:
    authentication = None
    if route.grant in models.NEEDS_USER:
        authentication = Authentication(
            take_token=build_take_token(route),
            verifier=verifiers[route.subject_token_type == "id_token"],
            require=build_demands(route, clock),
        )
    options = Options(**dict(route.timeouts), max_connections=route.max_connections)
    request = build_token_request(route, settings)
    access_tokens = None
    if request is not None:
        access_tokens = AccessTokens(request, issuers[request.authorization_server].server, store.cache)

    def connect(origin: Origin) -> tuple[Upstream, WebSocketUpstream | None]:
        upstream = Upstream(origin, options, sweep)
        return upstream, WebSocketUpstream(upstream) if route.websocket else None

    upstream, websockets = connect(parse_origin(route.upstream, _build_tls(route.tls)))
    built = Route(
        name=route.name,
        upstream=upstream,
        websockets=websockets,
        upstream_host=_build_host(route.upstream),
        preserve_host=route.preserve_host,
        path_rewrite=None if route.path_rewrite is None else route.path_rewrite.rstrip("/").encode("ascii"),
        authentication=authentication,
        access_tokens=access_tokens,
        guard=_build_guard(route, settings),
        token_fields=TokenFields(
            _build_base_url(route.upstream),
            issuers[request.authorization_server].server.dpop_key if request else None,
        ),
        max_body_bytes=settings.listen.max_body_bytes,
        lifetime=Lifetime(clock) if route.on_token_expiry == "close" else None,
        bound=BoundRoutes(upstream.origin, connect),
    )
    if not route.cors_preflight:
        return built
    return replace(built, preflight=replace(built, authentication=None, access_tokens=None, guard=None))


def _build_tls(tls: models.UpstreamTLS | None) -> TLSOptions | None:
    return None if tls is None else TLSOptions(tls.ca_file, tls.cert_file, tls.key_file, tls.server_name)


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


def _build_guard(route: models.Route, settings: models.Settings) -> CrossSiteGuard | None:
    """None where the route's callers bring a token of their own, or get none."""
    if not sends_ours_unasked(route):
        return None
    authorizer = settings.authorizer
    on_this_machine = is_loopback(settings.listen.host) or (authorizer and authorizer.on_this_machine)
    return CrossSiteGuard(
        allowed_origins=[origin.lower() for origin in route.allowed_origins],
        this_machine=route.host is None and bool(on_this_machine),
    )


def build_token_request(route: models.Route, settings: models.Settings) -> TokenRequest | None:
    """What ``route`` asks its token URL for; None where it needs no token."""
    authorization_server = settings.authorization_server_of(route)
    if route.grant == "none" or authorization_server is None:
        return None
    return TokenRequest(
        authorization_server=authorization_server,
        grant=route.grant,
        audience=route.audience,
        resource=route.resource,
        scopes=route.scopes,
        subject_token_type=route.subject_token_type,
        requested_token_type=route.requested_token_type,
        actor=route.actor,
        extra_parameters=tuple(sorted(route.extra_parameters.items())),
    )


def build_demands(route: models.Route, clock: Clock) -> Callable[[SubjectToken], None] | None:
    """What the route asks of a user's token beyond being accepted; None where it asks nothing."""
    if not (route.required_scopes or route.acr_values or route.max_age is not None):
        return None

    def require(subject_token: SubjectToken) -> None:
        require_scopes(subject_token, route.required_scopes)
        require_authentication(subject_token, route.acr_values, route.max_age, clock.time())

    return require


def _build_documents(settings: models.Settings, issuers: dict[str, Issuer]) -> Documents | None:
    """None where nothing is published, so that requests need not ask."""
    if not settings.protected_resource_metadata and settings.publish_jwks is None:
        return None

    def read_jwks() -> Mapping[str, Any]:
        published = [key for issuer in issuers.values() for key in issuer.server.public_jwks()["keys"]]
        return {"keys": [key for number, key in enumerate(published) if key not in published[:number]]}

    table = _build_table(settings.routes, settings.routes) if settings.protected_resource_metadata else None
    accepted = {entry.authorization_server for entry in settings.subject_tokens}
    return Documents(
        table,
        issuers=[issuers[name].settings.issuer for name in sorted(accepted)],
        jwks_path=settings.publish_jwks,
        read_jwks=read_jwks,
    )


def _build_table(settings: Iterable[models.Route], routes: Iterable[T]) -> RouteTable[T]:
    return RouteTable(
        Pattern(
            path=setting.path.encode("ascii"),
            host=None if setting.host is None else setting.host.lower().encode("ascii"),
            methods=frozenset(setting.methods),
            value=route,
        )
        for setting, route in zip(settings, routes, strict=True)
    )


def _build_base_url(upstream: str) -> str:
    url = urlsplit(upstream)
    return "http://localhost" if url.scheme == "unix" else f"{url.scheme}://{url.netloc}"


def _build_host(upstream: str) -> bytes:
    """The ``Host`` that an upstream is called by; a unix socket has no name of its own."""
    return _build_base_url(upstream).partition("://")[2].encode("ascii")
