"""What must hold for a route in itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import ProxyError
from ..http.routes import Pattern, RouteTable
from .faults import Fault, got
from .files import check_ca_file, check_certificate, check_secret_file
from .models import TWO_LEGS, Route, UpstreamTLS
from .token_rules import find_actor_faults, find_token_faults, find_token_in_faults, is_uri
from .urls import check_url, is_host, parse_url

_METHOD = re.compile(r"[A-Z][A-Z0-9_-]*")
_SCOPE = re.compile(r"[!#-\[\]-~]+")  # RFC 6749 §3.3
# Okta refuses all of these to a service app, and says so of token exchange with openid_not_allowed_token_exchange.
_OPENID_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})
# Those that no ID-JAG carries: they are the identity provider's own.
_SYSTEM_SCOPES = _OPENID_SCOPES | {"groups", "device_sso"}
# fmt: off
_OUR_PARAMETERS = frozenset({
    "grant_type", "subject_token", "subject_token_type", "actor_token", "actor_token_type", "audience",
    "resource", "scope", "authorization_details", "request_context", "requested_token_type", "requested_token_use",
    "assertion", "client_id", "client_secret", "client_assertion", "client_assertion_type",
})
# fmt: on
# Which keys a grant has a use for, beside those of every route. A key without effect is a mistake.
_KEYS_OF_TOKEN = (
    *("authorization_server", "audience", "resource", "scopes", "extra_parameters"),
    *("authorization_details", "token_out"),
)
_KEYS_OF_USER = (
    *("subject_token_file", "required_scopes", "acr_values", "max_age"),
    *("allowed_actors", "max_actors"),
)
_KEYS_OF_EXCHANGE = ("subject_token_type", "requested_token_type", "actor", "request_context")
_KEYS_OF_LEGS = ("identity_provider", "subject_token_type", "actor")
_KEYS = (*_KEYS_OF_TOKEN, *_KEYS_OF_USER, *_KEYS_OF_EXCHANGE, "identity_provider")
_KEYS_OF_GRANT: dict[str, tuple[str, ...]] = {
    "token_exchange": (*_KEYS_OF_TOKEN, *_KEYS_OF_USER, *_KEYS_OF_EXCHANGE),
    "id_jag": (*_KEYS_OF_TOKEN, *_KEYS_OF_USER, *_KEYS_OF_LEGS),
    "identity_chaining": (*_KEYS_OF_TOKEN, *_KEYS_OF_USER, *_KEYS_OF_LEGS),
    "jwt_bearer": (*_KEYS_OF_TOKEN, *_KEYS_OF_USER),
    "client_credentials": _KEYS_OF_TOKEN,
    "none": (),
}


def sends_ours_unasked(route: Route) -> bool:
    """Whether ``route`` calls with credentials of ours for whoever reaches it."""
    return route.grant == "client_credentials" or route.subject_token_file is not None


def is_canonical(path: str) -> bool:
    """Whether every reader takes ``path`` for the same place, so that it can match what is sent raw."""
    raw = path.encode(errors="replace")
    table = RouteTable([Pattern(raw, None, frozenset(), None)])
    try:
        table.match(raw, b"", "GET")
    except ProxyError:
        return False
    return path.startswith("/") and "//" not in path


def find_route_faults(place: str, route: Route) -> Iterator[Fault]:
    """Every fault of ``route`` in itself."""
    yield from _find_match_faults(place, route)
    yield from _find_upstream_faults(place, route)
    yield from _find_unused_keys(place, route)
    yield from _find_request_faults(place, route)
    yield from find_token_in_faults(f"{place}.token_in", route.token_in)
    yield from find_token_faults(place, route)
    yield from find_actor_faults(f"{place}.actor", route)
    yield from _find_origin_faults(f"{place}.allowed_origins", route)
    yield from find_scope_faults(f"{place}.required_scopes", route.required_scopes)
    if route.subject_token_file:
        yield from check_secret_file(f"{place}.subject_token_file", route.subject_token_file)
    for key in ("connect", "response", "idle"):
        if getattr(route.timeouts, key) == 0:
            yield Fault(f"{place}.timeouts.{key}", "must be more than 0")


def find_scope_faults(place: str, scopes: tuple[str, ...]) -> Iterator[Fault]:
    """One scope an entry, in the characters of RFC 6749 §3.3."""
    for index, scope in enumerate(scopes):
        if not _SCOPE.fullmatch(scope):
            yield Fault(f"{place}[{index}]", f"not one scope: give each an entry of its own{got(scope)}")


def _find_match_faults(place: str, route: Route) -> Iterator[Fault]:
    if not is_canonical(route.path):
        yield Fault(
            f"{place}.path", f"not a path that starts with '/' and reads alike to all{got(route.path)}"
        )
    if route.path_rewrite and not is_canonical(route.path_rewrite):
        yield Fault(
            f"{place}.path_rewrite",
            f"not a path that starts with '/' and reads alike to all{got(route.path_rewrite)}",
        )
    if route.host is not None and not is_host(route.host):
        yield Fault(f"{place}.host", f"not a host name without scheme and port{got(route.host)}")
    for index, method in enumerate(route.methods):
        if not _METHOD.fullmatch(method):
            yield Fault(f"{place}.methods[{index}]", f"not a method in capitals{got(method)}")
        elif method in ("CONNECT", "TRACE"):
            yield Fault(f"{place}.methods[{index}]", f"never served{got(method)}")


def _find_upstream_faults(place: str, route: Route) -> Iterator[Fault]:
    if route.upstream.startswith("unix:"):
        if not re.fullmatch(r"unix:/[!-\"$->@-~]+", route.upstream):
            yield Fault(f"{place}.upstream", f"not like unix:/path.sock{got(route.upstream)}")
    else:
        yield from check_url(f"{place}.upstream", route.upstream)
        url = parse_url(route.upstream)
        if url and url.path not in ("", "/"):
            yield Fault(
                f"{place}.upstream",
                f"a path is refused here: path_rewrite replaces the matched prefix{got(route.upstream)}",
            )
    if route.tls:
        yield from _find_tls_faults(f"{place}.tls", route.tls, route.upstream)


def _find_tls_faults(place: str, tls: UpstreamTLS, upstream: str) -> Iterator[Fault]:
    if not upstream.startswith("https:"):
        yield Fault(place, f"only an https upstream has a use for it{got(upstream)}")
    yield from check_ca_file(f"{place}.ca_file", tls.ca_file)
    if tls.cert_file and tls.key_file:
        yield from check_certificate(place, tls.cert_file, tls.key_file)
    elif tls.cert_file or tls.key_file:
        missing = "key_file" if tls.cert_file else "cert_file"
        yield Fault(f"{place}.{missing}", "required beside the other half of the pair")
    if tls.server_name is not None and not is_host(tls.server_name):
        yield Fault(f"{place}.server_name", f"not a host name{got(tls.server_name)}")


def _find_unused_keys(place: str, route: Route) -> Iterator[Fault]:
    for key in _KEYS:
        if key not in _KEYS_OF_GRANT[route.grant] and route.is_given(key):
            yield Fault(f"{place}.{key}", f"not used with grant: {route.grant}, so leave it out")


def _find_request_faults(place: str, route: Route) -> Iterator[Fault]:
    if route.grant != "none":
        yield from find_scope_faults(f"{place}.scopes", route.scopes)
    if route.grant in ("token_exchange", "client_credentials"):
        yield from _find_openid_scopes(f"{place}.scopes", route.scopes)
    if route.grant == "id_jag":
        yield from _find_system_scopes(f"{place}.scopes", route.scopes)
    if route.grant in TWO_LEGS and route.subject_token_type == "jwt":
        yield Fault(
            f"{place}.subject_token_type", f"id_token or access_token with grant: {route.grant}{got('jwt')}"
        )
    for index, resource in enumerate(route.resource):
        at = f"[{index}]" if len(route.resource) > 1 else ""
        yield from _find_resource_faults(f"{place}.resource{at}", resource)
    for name in sorted(_OUR_PARAMETERS & set(route.extra_parameters)):
        yield Fault(f"{place}.extra_parameters.{name}", "set by the proxy itself, so it may not be given")


def _find_openid_scopes(place: str, scopes: tuple[str, ...]) -> Iterator[Fault]:
    for index, scope in enumerate(scopes):
        if scope in _OPENID_SCOPES:
            yield Fault(
                f"{place}[{index}]",
                "an OpenID Connect scope, which Okta refuses to a service app:"
                f" ask for the API's own scopes{got(scope)}",
            )


def _find_system_scopes(place: str, scopes: tuple[str, ...]) -> Iterator[Fault]:
    for index, scope in enumerate(scopes):
        if scope in _SYSTEM_SCOPES or scope.startswith("okta."):
            yield Fault(
                f"{place}[{index}]",
                "a system scope, which Okta refuses for ID-JAGs (invalid_scope): ask for the scopes of the API's"
                f" own authorization server{got(scope)}",
            )


def _find_resource_faults(place: str, resource: str) -> Iterator[Fault]:
    # RFC 8707 §2: an absolute URI without a fragment.
    if not is_uri(resource):
        yield Fault(place, f"not an absolute URI without a fragment{got(resource)}")


def _find_origin_faults(place: str, route: Route) -> Iterator[Fault]:
    if route.allowed_origins and not sends_ours_unasked(route):
        yield Fault(
            place,
            "only used where callers need no token (client_credentials, subject_token_file), so leave it out",
        )
    for index, origin in enumerate(route.allowed_origins):
        url = parse_url(origin)
        if url is None or origin != f"{url.scheme}://{url.netloc}" or "@" in origin:
            yield Fault(f"{place}[{index}]", f"not an origin such as https://app.example.com{got(origin)}")
