"""A sound raw configuration, and ways to spoil it."""

from __future__ import annotations

import copy
from typing import Any

from proxy.config.load import ConfigurationError, parse_settings

SOUND: dict[str, Any] = {
    "authorization_servers": {
        "okta": {
            "issuer": "https://example.okta.com/oauth2/default",
            "client": {"id": "0oa1", "secret": "s3cr3t"},
        }
    },
    "subject_tokens": [{"authorization_server": "okta", "expected_audience": "api://default"}],
    "routes": [
        {"name": "orders", "path": "/orders", "upstream": "http://orders:8080", "audience": "api://orders"}
    ],
}
SIDECAR = {
    "OBO_UPSTREAM": "http://orders:8080",
    "OBO_ISSUER": "https://example.okta.com/oauth2/default",
    "OBO_EXPECTED_AUDIENCE": "api://default",
    "OBO_CLIENT_ID": "0oa1",
    "OBO_CLIENT_SECRET": "s3cr3t",
    "OBO_AUDIENCE": "api://orders",
}
OTHER = {"name": "other", "path": "/other", "upstream": "http://other", "audience": "api://other"}
ODD_PATH = "not a path that starts with '/' and reads alike to all"
SERVER = "authorization_servers.okta"
CLIENT = "authorization_servers.okta.client"
EXPOSED = (
    "required where admin.host is not loopback: name a file with a token (or OBO_ADMIN_TOKEN_FILE),"
    " or listen on 127.0.0.1"
)


def change(*changes: tuple[str, Any]) -> dict[str, Any]:
    """``SOUND`` with each dotted path set to a value, ``...`` to remove it."""
    raw = copy.deepcopy(SOUND)
    for path, value in changes:
        *parents, last = (int(step) if step.isdigit() else step for step in path.split("."))
        at: Any = raw
        for step in parents:
            at = at[step] if isinstance(step, int) else at.setdefault(step, {})
        if value is ...:
            del at[last]
        elif isinstance(at, list) and last == len(at):
            at.append(value)
        else:
            at[last] = value
    return raw


def faults_of(raw: Any, environ: dict[str, str] | None = None) -> list[str]:
    """The lines that ``raw`` gets; none where it is sound."""
    try:
        parse_settings(raw, environ or {})
    except ConfigurationError as error:
        return [str(fault) for fault in error.faults]
    return []
