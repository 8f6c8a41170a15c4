"""Remedies with names instead of placeholders: whoever reads one knows where to click."""

from __future__ import annotations

from dataclasses import replace

from ..config import models
from .finding import Finding


def name_places(finding: Finding, server: models.AuthorizationServer) -> Finding:
    """``finding`` with the app and the authorization server of its remedy named as ``server`` names them."""
    client_id = server.client.id if server.client else None
    client = f"(the app of client id {client_id})" if client_id else "(our app)"
    remedy = finding.remedy.replace("(our app)", client)
    return replace(finding, remedy=remedy.replace("(the server)", f"({server.issuer})"))
