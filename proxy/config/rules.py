"""What must hold between the keys of the configuration; every breach is named, not only the first."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from .authorizer_rules import find_authorizer_faults
from .binding_rules import find_binding_faults, find_proof_faults
from .exposure import find_exposure
from .faults import Fault, got
from .files import check_bearer_file, check_certificate, check_encryption_key_file
from .http2_rules import find_http2_faults
from .models import NEEDS_USER, TWO_LEGS, Admin, Cache, Listen, Route
from .route_rules import find_route_faults, find_scope_faults, is_canonical
from .server_rules import find_server_faults, is_okta_org
from .signal_rules import METADATA_PATH, find_signals_faults
from .token_rules import TOKEN
from .units import name_everybody
from .urls import check_url, is_host

if TYPE_CHECKING:
    from .shape import Sound

_SHARED_CACHE_SCHEMES = ("valkey", "valkeys", "redis", "rediss")
_LARGEST_TOLERANCE = 600.0  # s; beyond that "expired" means nothing any more
# Without these two in the key, one user would be served another's token.
_IDENTITY_CLAIMS = ("iss", "sub")
# Without these a right that one actor has would pass for another's.
_ACTOR_CLAIMS = ("act", "may_act")
_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104


def find_faults(sound: Sound) -> Iterator[Fault]:
    """Every breach of a rule in what is sound in shape; a dropped part's absence is none."""
    for fault in _find_all(sound):
        if sound.is_whole(fault.place):
            yield fault


def _find_all(sound: Sound) -> Iterator[Fault]:
    settings = sound.settings
    yield from _find_listen_faults(settings.listen)
    yield from _find_admin_faults(settings.admin, settings.listen if sound.is_whole("listen") else None)
    yield from find_authorizer_faults(settings, sound.routes)
    yield from _find_taken_port(sound)
    for name, server in settings.authorization_servers.items():
        yield from find_server_faults(f"authorization_servers.{name}", server)
    yield from _find_subject_tokens_faults(sound)
    yield from find_proof_faults(sound)
    for place, route in sound.routes.items():
        yield from find_route_faults(place, route)
        yield from _find_server_of_route_faults(sound, place, route)
        yield from _find_aimless_exchange(sound, place, route)
        yield from _find_leg_faults(sound, place, route)
        yield from _find_displaced_proof(sound, place, route)
    yield from find_http2_faults(sound)
    yield from _find_twins(sound)
    yield from _find_missing_clients(sound)
    yield from _find_cache_faults(settings.cache)
    yield from _find_publication_faults(sound)
    for place, entry in sound.signals.items():
        yield from find_signals_faults(place, entry, sound)
        yield from _find_unknown_server(sound, f"{place}.authorization_server", entry.authorization_server)
    if settings.tracing.otlp_endpoint:
        yield from check_url("tracing.otlp_endpoint", settings.tracing.otlp_endpoint)


def _find_listen_faults(listen: Listen) -> Iterator[Fault]:
    yield from _find_host_fault("listen.host", listen.host)
    for key in ("header_timeout", "keep_alive_timeout"):
        if getattr(listen, key) == 0:
            yield Fault(f"listen.{key}", "must be more than 0")
    yield from _find_trust_in_everybody(listen)
    for index, name in enumerate(listen.strip_headers):
        if not TOKEN.fullmatch(name) or "*" in name[:-1] or name == "*":
            yield Fault(
                f"listen.strip_headers[{index}]",
                f"not the name of a header, or the beginning of one with a * behind it{got(name)}",
            )
    if listen.tls:
        yield from check_certificate("listen.tls", listen.tls.cert_file, listen.tls.key_file)
    yield from find_binding_faults(listen)


def _find_trust_in_everybody(listen: Listen) -> Iterator[Fault]:
    """Whoever is trusted says who the caller is."""
    if name_everybody(listen.trusted_proxies):
        yield Fault(
            "listen.trusted_proxies",
            "every address, so that any caller could choose its X-Forwarded-For: name the proxies' networks",
        )


def _find_admin_faults(admin: Admin, listen: Listen | None) -> Iterator[Fault]:
    yield from _find_host_fault("admin.host", admin.host)
    if listen and admin.port == listen.port != 0 and _overlap(admin.host, listen.host):
        yield Fault(
            "admin.port", f"the same as listen.port: the admin side needs one of its own{got(admin.port)}"
        )
    if is_host(admin.host):
        yield from find_exposure(admin)
    if admin.token_file:
        yield from check_bearer_file("admin.token_file", admin.token_file)


def _find_taken_port(sound: Sound) -> Iterator[Fault]:
    authorizer = sound.settings.authorizer
    if authorizer is None or authorizer.socket_path is not None or not authorizer.port:
        return
    for name in ("listen", "admin"):
        other = getattr(sound.settings, name)
        if sound.is_whole(name) and authorizer.port == other.port and _overlap(authorizer.host, other.host):
            yield Fault(
                "authorizer.port",
                f"the same as {name}.port: gateways ask at a port of their own{got(authorizer.port)}",
            )


def _find_host_fault(place: str, host: str) -> Iterator[Fault]:
    if not is_host(host):
        yield Fault(place, f"not a host name or address without a port{got(host)}")


def _overlap(one: str, other: str) -> bool:
    return one == other or one in _EVERYWHERE or other in _EVERYWHERE


def _find_subject_tokens_faults(sound: Sound) -> Iterator[Fault]:
    settings = sound.settings
    users = [route.name for route in settings.routes if route.grant in NEEDS_USER]
    if users and not settings.subject_tokens:
        yield Fault("subject_tokens", f"required: the route {users[0]!r} is called on a user's behalf")
    for place, entry in sound.subject_tokens.items():
        yield from find_scope_faults(f"{place}.required_scopes", entry.required_scopes)
        if entry.clock_tolerance > _LARGEST_TOLERANCE:
            yield Fault(
                f"{place}.clock_tolerance",
                f"more than {_LARGEST_TOLERANCE:.0f} s{got(entry.clock_tolerance)}",
            )
        yield from _find_unknown_server(sound, f"{place}.authorization_server", entry.authorization_server)
        server = settings.authorization_servers.get(entry.authorization_server)
        takes_id_tokens = any(
            route.grant in NEEDS_USER and route.subject_token_type == "id_token" for route in settings.routes
        )
        if server and not entry.introspect and is_okta_org(server.issuer) and not takes_id_tokens:
            yield Fault(
                f"{place}.authorization_server",
                "an Okta org authorization server, whose access tokens only Okta may verify: let a route take its"
                " ID tokens (subject_token_type: id_token), name a custom one"
                f" (https://{{yourOktaDomain}}/oauth2/default) or set introspect: true{got(server.issuer)}",
            )


def _find_unknown_server(sound: Sound, place: str, name: str) -> Iterator[Fault]:
    if name in sound.server_names or not sound.is_whole("authorization_servers." + name):
        return
    near = difflib.get_close_matches(name, sound.server_names, n=1)
    hint = f", did you mean {near[0]!r}?" if near else ""
    yield Fault(place, f"no such authorization server{hint}{got(name)}")


def _find_server_of_route_faults(sound: Sound, place: str, route: Route) -> Iterator[Fault]:
    if route.grant == "none":
        return
    if route.authorization_server is not None:
        yield from _find_unknown_server(sound, f"{place}.authorization_server", route.authorization_server)
    elif not sound.server_names:
        yield Fault("authorization_servers", f"required: the route {route.name!r} gets its token from one")
    elif len(sound.server_names) > 1:
        yield Fault(f"{place}.authorization_server", "required, for there are several authorization servers")


def _find_aimless_exchange(sound: Sound, place: str, route: Route) -> Iterator[Fault]:
    keys = ("audience", "resource", "scopes", "authorization_details")
    if route.grant not in NEEDS_USER - TWO_LEGS or any(getattr(route, key) for key in keys):
        return  # the audience of a first token is known: the server that redeems it
    if all(sound.is_whole(f"{place}.{key}") for key in keys):
        yield Fault(
            f"{place}.audience", "required, or resource or scopes: else the token would be for nothing named"
        )


def _find_leg_faults(sound: Sound, place: str, route: Route) -> Iterator[Fault]:
    """Two legs lead to two servers: who makes the first token, and who redeems it."""
    if route.grant not in TWO_LEGS or not sound.is_whole(f"{place}.identity_provider"):
        return
    at = f"{place}.identity_provider"
    if route.identity_provider is None:
        yield Fault(
            at,
            f"required with grant: {route.grant}: who makes the first token, by its name in authorization_servers",
        )
        return
    yield from _find_unknown_server(sound, at, route.identity_provider)
    one_server = sound.server_names[0] if len(sound.server_names) == 1 else None
    if route.identity_provider == (route.authorization_server or one_server):
        yield Fault(
            at,
            "also the authorization_server, which redeems the first token: name the other of the two,"
            f" or use grant: token_exchange{got(route.identity_provider)}",
        )


def _find_displaced_proof(sound: Sound, place: str, route: Route) -> Iterator[Fault]:
    name = sound.settings.authorization_server_of(route)
    server = sound.settings.authorization_servers.get(name) if name else None
    if server and server.dpop and not route.token_out.is_usual:
        yield Fault(
            f"{place}.token_out",
            "a DPoP token stands in Authorization alone (RFC 9449 §7.1): leave it out, or set dpop: false on"
            f" authorization_servers.{name}",
        )


def _find_twins(sound: Sound) -> Iterator[Fault]:
    """Routes and subject tokens that cannot be told apart."""
    for (place, one), (other_place, other) in combinations(sound.routes.items(), 2):
        if one.name == other.name:
            yield Fault(f"{other_place}.name", f"also the name of {place}{got(other.name)}")
        if _match_alike(one, other):
            yield Fault(f"{other_place}.path", f"matches the same requests as {place}{got(other.path)}")


def _match_alike(one: Route, other: Route) -> bool:
    same_methods = bool(set(one.methods) & set(other.methods)) or one.methods == other.methods
    return same_methods and _place_of(one) == _place_of(other)


def _place_of(route: Route) -> tuple[str, str]:
    return (route.host or "").lower(), route.path.rstrip("/")


def _find_missing_clients(sound: Sound) -> Iterator[Fault]:
    settings = sound.settings
    reasons: dict[str, str] = {}
    for entry in settings.subject_tokens:
        if entry.introspect:
            reasons.setdefault(entry.authorization_server, "subject tokens are introspected here")
    for route in settings.routes:
        if name := settings.authorization_server_of(route):
            reasons.setdefault(name, f"the route {route.name!r} gets its token here")
        if route.grant in TWO_LEGS and route.identity_provider is not None:
            reasons.setdefault(route.identity_provider, f"the route {route.name!r} gets its first token here")
    for name, reason in reasons.items():
        server = settings.authorization_servers.get(name)
        if server and server.client is None:
            yield Fault(f"authorization_servers.{name}.client", f"required: {reason}")


def _find_cache_faults(cache: Cache) -> Iterator[Fault]:
    if 0 < cache.max_ttl <= cache.expiry_leeway:
        yield Fault(
            "cache.expiry_leeway",
            f"not less than max_ttl: nothing would ever be kept{got(cache.expiry_leeway)}",
        )
    for index, claim in enumerate(cache.ignore_claims):
        if claim in _IDENTITY_CLAIMS:
            yield Fault(
                f"cache.ignore_claims[{index}]", f"tells users apart, so it stays in the key{got(claim)}"
            )
        if claim in _ACTOR_CLAIMS:
            yield Fault(
                f"cache.ignore_claims[{index}]",
                f"says who acts for the user, so it stays in the key{got(claim)}",
            )
    if cache.ignore_claims and cache.key == "token":
        yield Fault("cache.ignore_claims", "not used with key: token, so leave it out")
    if cache.shared:
        yield from _check_store_url("cache.shared.url", cache.shared.url.get_secret_value())
        yield from check_encryption_key_file(
            "cache.shared.encryption_key_file", cache.shared.encryption_key_file
        )


def _check_store_url(place: str, text: str) -> Iterator[Fault]:
    """``unix:///path`` has no host; behind ``+sentinel://`` there may be several, with commas between."""
    scheme, _, rest = text.partition("://")
    if scheme == "unix":
        if not rest.partition("?")[0].rpartition("@")[2].startswith("/"):
            yield Fault(place, "no path of a socket behind unix://")
        return
    sentinel = scheme.endswith("+sentinel")
    hosts, slash, path = rest.partition("/")
    user, at, hosts = hosts.rpartition("@")
    plain = scheme.removesuffix("+sentinel").removesuffix("+cluster")
    for host in hosts.split(",") if sentinel else [hosts]:
        url = f"{plain}://{user}{at}{host}{slash}{path}"
        yield from check_url(place, url, schemes=_SHARED_CACHE_SCHEMES, userinfo=True, query=True)
    if sentinel and not path:
        yield Fault(place, "no service behind the sentinels: valkey+sentinel://host,host/service")


def _find_publication_faults(sound: Sound) -> Iterator[Fault]:
    settings, path = sound.settings, sound.settings.publish_jwks
    if path is None:
        return
    if not is_canonical(path) or path == "/":
        yield Fault("publish_jwks", f"not a path that starts with '/' and reads alike to all{got(path)}")
    for place, route in sound.routes.items():
        if route.path == path:
            yield Fault("publish_jwks", f"also the path of {place}{got(path)}")
    if settings.protected_resource_metadata and path.startswith(METADATA_PATH):
        yield Fault("publish_jwks", f"also the path of protected_resource_metadata{got(path)}")
    clients = [server.client for server in settings.authorization_servers.values()]
    if not any(client and client.private_key_file for client in clients):
        yield Fault("publish_jwks", "no client has a private_key_file, so there is no key to publish")
