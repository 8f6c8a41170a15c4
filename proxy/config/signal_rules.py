"""What must hold for an entry of ``signals``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING

from .faults import Fault, got
from .models import Signals
from .route_rules import is_canonical
from .urls import check_secure_url, parse_url

if TYPE_CHECKING:
    from .shape import Sound

METADATA_PATH = "/.well-known/oauth-protected-resource"  # RFC 9728 §3
_PATHS = ("path", "revocation_path")


def find_signals_faults(place: str, entry: Signals, sound: Sound) -> Iterator[Fault]:
    """Every fault of ``entry``, but for a server that is not there."""
    server = sound.settings.authorization_servers.get(entry.authorization_server)
    allow_http = server is not None and server.allow_http
    yield from check_secure_url(f"{place}.issuer", entry.issuer, allow_http=allow_http)
    yield from check_secure_url(f"{place}.jwks_url", entry.jwks_url, allow_http=allow_http, query=True)
    for key in _PATHS:
        yield from _find_path_faults(place, key, entry, sound)
    if entry.revocation_path is not None and parse_url(entry.audience) is None:
        yield Fault(
            f"{place}.audience",
            "not an absolute URL: beside revocation_path it says by which host the transmitter calls"
            f"{got(entry.audience)}",
        )
    accepted = {tokens.authorization_server for tokens in sound.settings.subject_tokens}
    if server is not None and entry.authorization_server not in accepted and sound.is_whole("subject_tokens"):
        yield Fault(
            f"{place}.authorization_server",
            "no subject_tokens of it are accepted, so its events could mean nobody: name one whose tokens are"
            f"{got(entry.authorization_server)}",
        )


def _find_path_faults(place: str, key: str, entry: Signals, sound: Sound) -> Iterator[Fault]:
    path = getattr(entry, key)
    if path is None:
        return
    where = f"{place}.{key}"
    if not is_canonical(path) or path == "/":
        yield Fault(where, f"not a path that starts with '/' and reads alike to all{got(path)}")
        return
    for other in _find_others(place, key, sound, path):
        yield Fault(where, f"also the path of {other}: give it one of its own{got(path)}")


def _find_others(place: str, key: str, sound: Sound, path: str) -> Iterator[str]:
    """What else is served at ``path``; of two receivers the later one is at fault."""
    yield from (other for other, route in sound.routes.items() if route.path.rstrip("/") == path.rstrip("/"))
    if path == sound.settings.publish_jwks:
        yield "publish_jwks"
    if sound.settings.protected_resource_metadata and path.startswith(METADATA_PATH):
        yield "protected_resource_metadata"
    receivers = [
        (f"{one}.{name}", getattr(entry, name)) for one, entry in sound.signals.items() for name in _PATHS
    ]
    before = takewhile(lambda receiver: receiver[0] != f"{place}.{key}", receivers)
    yield from (other for other, taken in before if taken == path)
