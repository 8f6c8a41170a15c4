"""What must hold between the keys of the configuration; every breach is named, not only the first."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from .binding_rules import find_proof_faults
from .cache_rules import find_cache_faults
from .faults import Fault, got
from .http2_rules import find_http2_faults
from .listener_rules import find_listener_faults
from .models import NEEDS_USER, TWO_LEGS, Route
from .route_rules import find_route_faults, find_scope_faults, is_canonical
from .server_rules import find_server_faults, is_okta_org
from .signal_rules import METADATA_PATH, find_signals_faults
from .urls import check_url

if TYPE_CHECKING:
    from .shape import Sound

_LARGEST_TOLERANCE = 600.0  # s; beyond that "expired" means nothing any more


def find_faults(sound: Sound) -> Iterator[Fault]:
    """Every breach of a rule in what is sound in shape; a dropped part's absence is none."""
    for fault in _find_all(sound):
        if sound.is_whole(fault.place):
            yield fault


def _find_all(sound: Sound) -> Iterator[Fault]:
    settings = sound.settings
    yield from find_listener_faults(sound)
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
    yield from find_cache_faults(settings.cache)
    yield from _find_publication_faults(sound)
    for place, entry in sound.signals.items():
        yield from find_signals_faults(place, entry, sound)
        yield from _find_unknown_server(sound, f"{place}.authorization_server", entry.authorization_server)
    if settings.tracing.otlp_endpoint:
        yield from check_url("tracing.otlp_endpoint", settings.tracing.otlp_endpoint)


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
