"""RFC 9728: the document that tells a client where to get tokens for this resource."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WELL_KNOWN = "/.well-known/oauth-protected-resource"


def build_document(
    resource: str, authorization_servers: Sequence[str], scopes: Sequence[str]
) -> dict[str, Any]:
    """The metadata (§2): ``authorization_servers`` are issuers; ``scopes`` may be empty."""
    document: dict[str, Any] = {
        "resource": resource,
        "authorization_servers": list(authorization_servers),
        "bearer_methods_supported": ["header"],
    }
    if scopes:
        document["scopes_supported"] = list(scopes)
    return document
