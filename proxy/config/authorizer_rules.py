"""What must hold where gateways ask, and for routes that they ask about: what they cannot carry is a fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .faults import Fault, got
from .models import Authorizer, Route, Settings
from .units import name_everybody
from .urls import is_host

_LONGEST_PATH = 107  # bytes: unix(7), sun_path
_PLACE = "authorizer"


def find_authorizer_faults(settings: Settings, routes: Mapping[str, Route]) -> Iterator[Fault]:
    """Every fault of ``authorizer`` and of ``routes``, by their places; none where there is no authorizer."""
    if settings.authorizer is None:
        return
    yield from _find_address_faults(settings.authorizer)
    for place, route in routes.items():
        yield from _find_route_faults(place, route)
        name = settings.authorization_server_of(route)
        server = settings.authorization_servers.get(name) if name else None
        if server and server.dpop:
            yield Fault(
                f"authorization_servers.{name}.dpop",
                f"not with an authorizer: a gateway cannot prove the key that the tokens of {place} are bound to."
                " Leave out dpop, or authorizer",
            )


def _find_address_faults(authorizer: Authorizer) -> Iterator[Fault]:
    path = authorizer.socket_path
    if path is not None:
        if not path.startswith("/") or len(path.encode()) > _LONGEST_PATH:
            yield Fault(
                f"{_PLACE}.host",
                f"not like unix:/run/obo.sock, of {_LONGEST_PATH} bytes at most{got(authorizer.host)}",
            )
        if authorizer.allowed_peers:
            yield Fault(f"{_PLACE}.allowed_peers", "a unix socket's peers have no address, so leave it out")
    elif not is_host(authorizer.host):
        yield Fault(
            f"{_PLACE}.host",
            f"neither a host name or address without a port, nor unix:/path{got(authorizer.host)}",
        )
    elif not authorizer.on_this_machine and not authorizer.allowed_peers:
        yield Fault(
            f"{_PLACE}.allowed_peers",
            "required where authorizer.host is not loopback, for whoever asks is handed tokens: name the gateways'"
            f" networks, or listen on 127.0.0.1{got(authorizer.host)}",
        )
    elif name_everybody(authorizer.allowed_peers):
        yield Fault(
            f"{_PLACE}.allowed_peers", "every address, so that anybody is handed tokens: name the gateways'"
        )


def _find_route_faults(place: str, route: Route) -> Iterator[Fault]:
    header = route.token_in.header
    if route.token_in.query is not None or (header is not None and header.lower() != "authorization"):
        yield Fault(
            f"{place}.token_in",
            "not with an authorizer: the gateway would pass the caller's token on. Let it stand in Authorization,"
            " which the answer overwrites",
        )
    if route.token_out.query is not None or route.token_out.cookie is not None:
        yield Fault(
            f"{place}.token_out",
            "not with an authorizer: gateways take tokens from a field of its answer alone. Name a header",
        )
    if route.actor is not None and route.actor.header is not None:
        yield Fault(
            f"{place}.actor.header",
            "not with an authorizer: the gateway would pass the actor's token on. Let it stand in a file",
        )
    if route.on_token_expiry == "close":
        yield Fault(
            f"{place}.on_token_expiry",
            "close is not kept by a gateway, whose streams the authorizer does not see: leave it out, or authorizer",
        )
