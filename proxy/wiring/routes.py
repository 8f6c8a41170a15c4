"""From a route's settings to what serves its requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from ..cache.access_tokens import AccessTokens
from ..cache.two_legs import TwoLegs
from ..config import models
from ..config.route_rules import sends_ours_unasked
from ..config.urls import is_loopback
from ..exchange.route_requests import build_first_request, build_token_request
from ..gateway.bound_routes import BoundRoutes
from ..gateway.cross_site import CrossSiteGuard
from ..gateway.token_fields import build_token_fields
from ..gateway.token_lifetime import Lifetime
from ..gateway.upstream_request import Authentication, Route
from ..http.routes import Pattern, RouteTable
from ..parts import Issuer, TokenStore
from ..runtime import Sweep
from ..upstream import Options, Origin, TLSOptions, Upstream, UpstreamPool, parse_origin

if TYPE_CHECKING:
    from ..upstream.http2 import Http2Upstream
    from ..upstream.websocket import WebSocketUpstream

T = TypeVar("T")


def build_route(
    route: models.Route,
    settings: models.Settings,
    issuers: dict[str, Issuer],
    store: TokenStore,
    authentication: Authentication | None,
    *,
    lifetime: Lifetime,
    sweep: Sweep,
) -> Route:
    options = Options(**vars(route.timeouts), max_connections=route.max_connections)
    request = build_token_request(route, settings)

    def connect(origin: Origin) -> tuple[UpstreamPool, WebSocketUpstream | None]:
        upstream = _find_upstream(http2=route.http2)(origin, options, sweep)
        return upstream, _build_websockets(upstream) if route.websocket else None

    upstream, websockets = connect(parse_origin(route.upstream, _build_tls(route)))
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
        http2=route.http2,
    )
    if not route.cors_preflight:
        return built
    return replace(built, preflight=replace(built, authentication=None, access_tokens=None, guard=None))


def _find_upstream(*, http2: bool) -> type[Upstream | Http2Upstream]:
    if not http2:
        return Upstream
    from ..upstream.http2 import Http2Upstream  # noqa: PLC0415 - who does not speak it has nothing of it in memory

    return Http2Upstream


def _build_websockets(upstream: Upstream | Http2Upstream) -> WebSocketUpstream:
    from ..upstream.websocket import WebSocketUpstream  # noqa: PLC0415 - where no route takes any, nothing of them is

    return WebSocketUpstream(upstream)


def build_table(settings: Iterable[models.Route], routes: Iterable[T]) -> RouteTable[T]:
    return RouteTable(
        Pattern(
            path=setting.path.encode("ascii"),
            host=None if setting.host is None else setting.host.lower().encode("ascii"),
            methods=frozenset(setting.methods),
            value=route,
        )
        for setting, route in zip(settings, routes, strict=True)
    )


def _build_tls(route: models.Route) -> TLSOptions:
    tls = route.tls or models.UpstreamTLS()
    return TLSOptions(tls.ca_file, tls.cert_file, tls.key_file, tls.server_name, route.http2)


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


def _build_base_url(upstream: str) -> str:
    url = urlsplit(upstream)
    return "http://localhost" if url.scheme == "unix" else f"{url.scheme}://{url.netloc}"


def _build_host(upstream: str) -> bytes:
    """The ``Host`` that an upstream is called by; a unix socket has no name of its own."""
    return _build_base_url(upstream).partition("://")[2].encode("ascii")
