"""What of a configuration is settled when the process starts: ports, what is accepted on them, where traces go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .authorizer_rules import find_authorizer_faults
from .binding_rules import find_replay_faults
from .exposure import find_exposure
from .faults import ConfigurationError
from .models import Authorizer, Listen, Settings

# What stands under these sections takes a restart, but for the keys named here.
_LIVE = {
    "listen": frozenset(
        {"external_url", "tls", "trusted_proxies", "strip_headers", "max_body_bytes", "server_timing"}
    ),
    "admin": frozenset({"token_file"}),
    "tracing": frozenset[str](),
}


def keep_fixed(running: Settings, loaded: Settings) -> tuple[Settings, tuple[str, ...]]:
    """``loaded``, but with everything that takes a restart as it is ``running``; and which keys these are.

    Raises ConfigurationError where the two do not go together: a listener that is open to others stays so, and so
    do several workers.
    """
    sections: dict[str, Any] = {}
    waiting: list[str] = []
    for name, live in _LIVE.items():
        before, after = getattr(running, name), getattr(loaded, name)
        kept = {
            key: getattr(before, key)
            for key in vars(before)
            if key not in live and getattr(before, key) != getattr(after, key)
        }
        if isinstance(before, Listen) and (before.tls is None) != (after.tls is None):
            kept["tls"] = before.tls
        sections[name] = replace(after, **kept)
        waiting += [f"{name}.{key}" for key in kept]
    authorizer, late = _keep_authorizer(running.authorizer, loaded.authorizer)
    settings = replace(loaded, **sections, authorizer=authorizer)
    routes = {f"routes[{index}]": route for index, route in enumerate(settings.routes)}
    if faults := (
        *find_exposure(settings.admin),
        *find_authorizer_faults(settings, routes),
        *find_replay_faults(settings),
    ):
        raise ConfigurationError(faults)
    return settings, (*waiting, *late)


def _keep_authorizer(
    before: Authorizer | None, after: Authorizer | None
) -> tuple[Authorizer | None, tuple[str, ...]]:
    """Who may ask is live; whether and where is not."""
    if before is None or after is None:
        return before, ("authorizer",) if before != after else ()
    kept = {
        key: getattr(before, key) for key in ("host", "port") if getattr(before, key) != getattr(after, key)
    }
    return replace(after, **kept), tuple(f"authorizer.{key}" for key in kept)
