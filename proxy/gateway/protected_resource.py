"""RFC 9728: the document that tells a client where to get tokens for this resource."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..http.bearer import BEARER_ALONE, Schemes

WELL_KNOWN = "/.well-known/oauth-protected-resource"


def build_document(
    resource: str,
    authorization_servers: Sequence[str],
    scopes: Sequence[str],
    *,
    schemes: Schemes = BEARER_ALONE,
    certificates: bool = False,
) -> dict[str, Any]:
    """The metadata (§2): ``authorization_servers`` are issuers; ``scopes`` may be empty.

    ``certificates`` is whether tokens may be bound to a certificate (RFC 8705).
    """
    document: dict[str, Any] = {
        "resource": resource,
        "authorization_servers": list(authorization_servers),
        "bearer_methods_supported": ["header"],
    }
    if scopes:
        document["scopes_supported"] = list(scopes)
    if schemes.dpop:
        document["dpop_signing_alg_values_supported"] = list(schemes.dpop)
        document["dpop_bound_access_tokens_required"] = not schemes.bearer
    if certificates:
        document["tls_client_certificate_bound_access_tokens"] = True
    return document
