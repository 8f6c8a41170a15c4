"""The environment's part of the configuration: ``${NAME}`` in a file, and the ``OBO_*`` variables."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .faults import ConfigurationError, Fault

_REFERENCE = re.compile(r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")
_SERVER = ("authorization_servers", "default")

# These go over what a file says, for an image has to listen on every address; an open admin side needs a token.
OVERRIDES: Mapping[str, tuple[str, str]] = {
    "OBO_HOST": ("listen", "host"),
    "OBO_PORT": ("listen", "port"),
    "OBO_ADMIN_HOST": ("admin", "host"),
    "OBO_ADMIN_PORT": ("admin", "port"),
    "OBO_ADMIN_TOKEN_FILE": ("admin", "token_file"),
    "OBO_LOG_LEVEL": ("log", "level"),
}
# One route and one authorization server, for a sidecar in front of one API.
SIDECAR: Mapping[str, tuple[str | int, ...]] = {
    "OBO_UPSTREAM": ("routes", 0, "upstream"),
    "OBO_ISSUER": (*_SERVER, "issuer"),
    "OBO_EXPECTED_AUDIENCE": ("subject_tokens", 0, "expected_audience"),
    "OBO_CLIENT_ID": (*_SERVER, "client", "id"),
    "OBO_CLIENT_SECRET": (*_SERVER, "client", "secret"),
    "OBO_CLIENT_SECRET_FILE": (*_SERVER, "client", "secret_file"),
    "OBO_PRIVATE_KEY_FILE": (*_SERVER, "client", "private_key_file"),
    "OBO_KEY_ID": (*_SERVER, "client", "key_id"),
    "OBO_TOKEN_URL": (*_SERVER, "token_url"),
    "OBO_AUDIENCE": ("routes", 0, "audience"),
    "OBO_SCOPES": ("routes", 0, "scopes"),
    "OBO_SHARED_CACHE_URL": ("cache", "shared", "url"),
    "OBO_SHARED_CACHE_KEY_FILE": ("cache", "shared", "encryption_key_file"),
}
# The variable that a whole section is missing for.
SECTIONS: Mapping[str, tuple[str, ...]] = {"OBO_CLIENT_ID": (*_SERVER, "client")}


@dataclass(frozen=True)
class Unresolved:
    """Stands for a text whose ``${…}`` cannot be replaced, until the shape is checked."""

    message: str


def expand(value: Any, environ: Mapping[str, str]) -> Any:
    """``value`` with ``${NAME}`` and ``${NAME:-default}`` replaced in every text, keys left alone.

    As in a shell the default stands in for a variable that is unset or empty.
    """
    if isinstance(value, Mapping):
        return {key: expand(item, environ) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [expand(item, environ) for item in value]
    return _expand_text(value, environ) if isinstance(value, str) else value


def _expand_text(text: str, environ: Mapping[str, str]) -> str | Unresolved:
    problems: list[str] = []

    def replace(found: re.Match[str]) -> str:
        name, default = found.groups()
        if name is None:
            problems.append("neither ${NAME} nor ${NAME:-default}")
        elif default is not None:
            return environ.get(name) or default
        elif name not in environ:
            problems.append(f"the environment variable {name} is not set, and no default is given")
        return environ.get(name, "") if name else ""

    expanded = _REFERENCE.sub(replace, text)
    return Unresolved(problems[0]) if problems else expanded


def override(raw: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """``raw`` with hosts, ports, admin token and log level as the environment says."""
    result = dict(raw)
    for variable, (section, key) in OVERRIDES.items():
        given = result.get(section, {})
        if environ.get(variable) and isinstance(given, Mapping):
            result[section] = {**given, key: environ[variable]}
    return result


def build_sidecar(environ: Mapping[str, str]) -> dict[str, Any]:
    """The raw configuration that the ``OBO_*`` variables alone describe. Raises ConfigurationError."""
    given = {name: environ[name] for name in SIDECAR if environ.get(name)}
    if not given:
        raise ConfigurationError(
            (Fault("configuration", "none: give --config FILE, OBO_CONFIG, or OBO_UPSTREAM, OBO_ISSUER, …"),)
        )
    _refuse_misspelt(environ)
    raw: dict[str, Any] = {
        "authorization_servers": {_SERVER[1]: _build_server(given)},
        "subject_tokens": [{"authorization_server": _SERVER[1], **_pick(given, ("subject_tokens", 0))}],
        "routes": [{"name": "default", "path": "/", **_pick(given, ("routes", 0))}],
    }
    if shared := _pick(given, ("cache", "shared")):
        raw["cache"] = {"shared": shared}
    return raw


def _build_server(given: Mapping[str, str]) -> dict[str, Any]:
    server = _pick(given, _SERVER)
    if client := _pick(given, (*_SERVER, "client")):
        signs = "private_key_file" in client
        server["client"] = {"auth": "private_key_jwt" if signs else "client_secret_basic", **client}
    return server


def _pick(given: Mapping[str, str], section: tuple[str | int, ...]) -> dict[str, Any]:
    return {
        str(path[-1]): given[name].split() if name == "OBO_SCOPES" else given[name]
        for name, path in SIDECAR.items()
        if name in given and path[:-1] == section
    }


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """Only what is close to ours: Kubernetes sets OBO_SERVICE_HOST and its like for a service ``obo``."""
    known = {*SIDECAR, *OVERRIDES, "OBO_CONFIG"}
    unknown = sorted(name for name in environ if name.startswith("OBO_") and name not in known)
    faults = [
        Fault(name, f"unknown variable (did you mean {near[0]}?)")
        for name in unknown
        if (near := difflib.get_close_matches(name, known, n=1, cutoff=0.85))
    ]
    if faults:
        raise ConfigurationError(tuple(faults))
