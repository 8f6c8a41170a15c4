"""From settings to working parts: which part needs which.

One set of parts serves one configuration. A reload builds the next set, which takes over what has not
changed: the cache of access tokens, and each authorization server with what is known of it (``parts``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .authentication.binding import PROOF_LEEWAY
from .authentication.claims import SubjectTokenPolicy
from .authentication.dpop_proof import ALGORITHMS as PROOF_ALGORITHMS
from .authentication.proof_nonces import ProofNonces, sign_with
from .authentication.subject_token import SubjectToken, require_authentication, require_scopes
from .authentication.verifier import Accepted, Revoked, Verifier
from .authorizer.authorizer import Authorizer
from .cache.access_tokens import AccessTokens
from .cache.key import build_identity
from .cache.revoker import Revoker
from .cache.two_legs import TwoLegs
from .cache.used_proofs import UsedProofs
from .config import models
from .config.binding_rules import accepts_proofs, requires_proofs, takes_proofs
from .config.faults import ConfigurationError, Fault
from .config.route_rules import sends_ours_unasked
from .config.urls import is_loopback
from .exchange.record import ExchangeRecord
from .exchange.route_requests import build_first_request, build_token_request
from .gateway.bound_routes import BoundRoutes
from .gateway.caller_credentials import build_join, build_take_token
from .gateway.cross_site import CrossSiteGuard
from .gateway.gateway import Gateway
from .gateway.open_streams import OpenStreams
from .gateway.possession import Possession, Proofs
from .gateway.published_documents import Documents
from .gateway.token_fields import build_token_fields
from .gateway.token_lifetime import Lifetime
from .gateway.upstream_request import Authentication, Route
from .http.bearer import BEARER_ALONE, Schemes
from .http.forwarding import Forwarding
from .http.routes import Pattern, RouteTable
from .http.withholding import CredentialNames
from .observability.server_timing import ServerTiming
from .observability.tracing import Tracing
from .parts import Issuer, Parts, TokenStore
from .runtime import Clock, Sweep
from .signals.building import SignalDesk, build_desk, build_receivers, build_revoked
from .upstream import Options, Origin, TLSOptions, Upstream, parse_origin
from .upstream.websocket import WebSocketUpstream

T = TypeVar("T")


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
    kept = _find_unchanged(before, settings.authorization_servers) if before else {}
    issuers = {
        name: kept.get(name) or Issuer(name, server, clock=clock, on_exchange=on_exchange)
        for name, server in settings.authorization_servers.items()
    }
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
    proofs = _build_proofs(settings, used_proofs, store, clock=clock, secret=secret)
    routes = [
        _build_route(
            route,
            settings,
            issuers,
            store,
            _build_authentication(route, settings, verifiers, proofs, clock),
            lifetime=lifetime,
            sweep=sweep,
        )
        for route in settings.routes
    ]
    orgs = _build_orgs(settings, before.orgs if before else {}, clock=clock, on_exchange=on_exchange)
    revoker = Revoker(desk.users, store.shared, desk.fellows)
    places = [route.token_in for route in settings.routes]
    names = CredentialNames(
        headers=[
            *(place.header for place in places if place.header),
            *(route.actor.header for route in settings.routes if route.actor and route.actor.header),
        ],
        parameters=(place.query for place in places if place.query),
    )
    listen = settings.listen
    forwarding = Forwarding(listen.trusted_proxies, names, listen.strip_headers, listen.external_url)
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
        required_scopes={route.name: route.required_scopes for route in settings.routes},
        users=desk.users,
        revoker=revoker,
        streams=streams,
        orgs=orgs,
        receivers=build_receivers(
            settings,
            {issuer: org.keys for issuer, org in orgs.items()},
            desk,
            revoker,
            background=store.background,
            clock=clock,
        ),
        schemes=_build_schemes(settings),
        used_proofs=used_proofs,
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
    revoked: Revoked | None = None,
) -> Verifier:
    """Who verifies subject tokens, for routes that take access tokens or for those that take ID tokens."""
    cache = settings.cache
    return Verifier(
        [
            _build_accepted(
                entry,
                issuers[entry.authorization_server],
                id_tokens=id_tokens,
                certificates=_sees_certificates(settings.listen),
            )
            for entry in settings.subject_tokens
        ],
        clock=clock,
        background=store.background,
        build_identity=partial(build_identity, by=cache.key, ignore=frozenset(cache.ignore_claims)),
        size=cache.max_entries,  # as many verdicts as tokens: a hit needs both
        revoked=revoked,
    )


def _build_orgs(
    settings: models.Settings,
    before: Mapping[str, Issuer],
    *,
    clock: Clock,
    on_exchange: Callable[[ExchangeRecord], None],
) -> dict[str, Issuer]:
    """By issuer, each with its keys: reached as the authorization server is, and ``before``'s where it is the same."""
    orgs: dict[str, Issuer] = {}
    for entry in settings.signals:
        server = settings.authorization_servers[entry.authorization_server]
        org = models.AuthorizationServer(
            issuer=entry.issuer,
            jwks_url=entry.jwks_url,
            timeout=server.timeout,
            ca_file=server.ca_file,
            proxy_url=server.proxy_url,
            allow_http=server.allow_http,
        )
        kept = before.get(entry.issuer)
        same = kept is not None and kept.settings == org
        orgs[entry.issuer] = (
            kept
            if kept and same
            else Issuer(entry.authorization_server, org, clock=clock, on_exchange=on_exchange)
        )
    return orgs


def _find_unchanged(before: Parts, servers: Mapping[str, models.AuthorizationServer]) -> dict[str, Issuer]:
    return {name: issuer for name, issuer in before.issuers.items() if servers.get(name) == issuer.settings}


def _build_accepted(
    entry: models.SubjectTokens, issuer: Issuer, *, id_tokens: bool, certificates: bool
) -> Accepted:
    policy = SubjectTokenPolicy(
        issuer=issuer.settings.issuer,
        expected_audience=entry.expected_audience,
        client_ids=frozenset(entry.client_ids),
        required_scopes=entry.required_scopes,
        algorithms=frozenset(entry.algorithms),
        clock_tolerance=entry.clock_tolerance,
        id_tokens=id_tokens,
        dpop=entry.dpop,
        dpop_nonce=entry.dpop_nonce,
        certificates=certificates,
    )
    if entry.introspect:
        return Accepted(entry.authorization_server, policy, introspect=issuer.server.introspect)
    return Accepted(entry.authorization_server, policy, keys=issuer.keys)


def _build_proofs(
    settings: models.Settings,
    used: UsedProofs,
    store: TokenStore,
    *,
    clock: Clock,
    secret: bytes,
) -> Proofs | None:
    """None where no token may be bound to a key."""
    if not accepts_proofs(settings):
        return None
    used.widen(PROOF_LEEWAY + max(entry.clock_tolerance for entry in settings.subject_tokens))
    shared = store.shared.proofs if store.shared else None
    signer = sign_with(secret or os.urandom(32))
    nonces = ProofNonces(shared.read_signers if shared else lambda: [signer], clock)
    return Proofs(used=used, shared=shared, nonces=nonces, clock=clock)


def _build_schemes(settings: models.Settings) -> Schemes:
    if not accepts_proofs(settings):
        return BEARER_ALONE
    return Schemes(bearer=not requires_proofs(settings), dpop=PROOF_ALGORITHMS)


def _sees_certificates(listen: models.Listen) -> bool:
    return listen.tls is not None and listen.tls.client_ca_file is not None


def _build_authentication(
    route: models.Route,
    settings: models.Settings,
    verifiers: dict[bool, Verifier],
    proofs: Proofs | None,
    clock: Clock,
) -> Authentication | None:
    """None where the route needs no user."""
    if route.grant not in models.NEEDS_USER:
        return None
    bound = proofs is not None or _sees_certificates(settings.listen)
    require = build_demands(route, clock)
    join = build_join(route, lambda kind: verifiers[kind == "id_token"])
    return Authentication(
        take_token=build_take_token(route, dpop=proofs is not None),
        verifier=verifiers[route.subject_token_type == "id_token"],
        require=_demand_nothing if join and not require else require,
        join=join,
        possession=Possession(proofs if takes_proofs(route) else None) if bound else None,
    )


def _build_route(
    route: models.Route,
    settings: models.Settings,
    issuers: dict[str, Issuer],
    store: TokenStore,
    authentication: Authentication | None,
    *,
    lifetime: Lifetime,
    sweep: Sweep,
) -> Route:
    options = Options(**dict(route.timeouts), max_connections=route.max_connections)
    request = build_token_request(route, settings)

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
        access_tokens=_build_access_tokens(route, settings, issuers, store),
        guard=_build_guard(route, settings),
        token_fields=build_token_fields(
            route.token_out,
            _build_base_url(route.upstream),
            issuers[request.authorization_server].server.dpop_key if request else None,
        ),
        max_body_bytes=settings.listen.max_body_bytes,
        lifetime=lifetime if route.on_token_expiry == "close" else None,
        bound=BoundRoutes(upstream.origin, connect),
    )
    if not route.cors_preflight:
        return built
    return replace(built, preflight=replace(built, authentication=None, access_tokens=None, guard=None))


def _demand_nothing(_: SubjectToken) -> None:
    """For a route that asks for more than an accepted token, but nothing of that."""


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


def _build_access_tokens(
    route: models.Route, settings: models.Settings, issuers: dict[str, Issuer], store: TokenStore
) -> AccessTokens | None:
    request = build_token_request(route, settings)
    if request is None:
        return None
    server = issuers[request.authorization_server].server
    first_request = build_first_request(route, settings)
    if first_request is None:
        return AccessTokens(request, server, store.cache)
    identity_provider = issuers[first_request.authorization_server].server
    first = AccessTokens(first_request, identity_provider, store.cache, may_renew=lambda _: False, first=True)
    legs = TwoLegs(first, server)
    counted = route.grant == "id_jag"
    return AccessTokens(request, legs, store.cache, may_renew=legs.holds_first if counted else None)


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
        schemes=_build_schemes(settings),
        certificates=_sees_certificates(settings.listen),
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
