"""Remedies with names instead of placeholders."""

from __future__ import annotations

import pytest

from proxy.config.models import AuthorizationServer, Client
from proxy.diagnosis.console import name_places
from proxy.diagnosis.finding import Finding
from proxy.exchange.okta_refusals import CHECK_CLIENT, CHECK_TRUST

ISSUER = "https://example.okta.com/oauth2/default"


@pytest.mark.parametrize(
    ("remedy", "client", "named"),
    [
        (CHECK_CLIENT, Client(id="0oa1", secret="s"), "Applications > (the app of client id 0oa1) > General"),
        (CHECK_CLIENT, None, "Applications > (our app) > General"),
        (CHECK_TRUST, None, f"Authorization Servers > ({ISSUER}) > Settings"),
        ("Start it.", None, "Start it."),
    ],
)
def test_who_reads_a_remedy_knows_where_to_click(remedy: str, client: Client | None, named: str) -> None:
    """By the client's id and the server's issuer; nothing else of the finding changes."""
    finding = Finding("credentials", "okta", "fail", "(our app)", remedy)
    placed = name_places(finding, AuthorizationServer(issuer=ISSUER, client=client))
    assert named in placed.remedy
    assert (placed.step, placed.about, placed.verdict, placed.summary) == (
        "credentials",
        "okta",
        "fail",
        "(our app)",
    )
