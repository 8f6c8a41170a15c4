"""Whose tokens an org speaks for."""

from __future__ import annotations

from proxy.config.load import parse_settings
from proxy.signals.building import build_org
from tests.config.samples import change
from tests.config.test_signal_rules import SIGNALS


def test_all_custom_servers_of_the_org():
    """Those with its address, by its own name or a custom domain; no other org's, and no other tenant's."""
    issuers = {
        "orders": "https://example.okta.com/oauth2/orders",
        "login": "https://login.example.com/oauth2/aus1",
        "other": "https://other.okta.com/oauth2/default",
        "realm": "https://example.okta.com/realms/x",
        "longer": "https://example.okta.com.evil.example/oauth2/default",
    }
    servers = {
        name: {"issuer": issuer, "client": {"id": "0oa1", "secret": "s"}} for name, issuer in issuers.items()
    }
    raw = change(
        *((f"authorization_servers.{name}", server) for name, server in servers.items()),
        ("routes.0.authorization_server", "okta"),
        ("signals", [SIGNALS]),
    )
    settings = parse_settings(raw)
    org = build_org(settings.signals[0], settings)
    okta = "https://example.okta.com"
    assert org.token_issuers == {okta, f"{okta}/oauth2/default", f"{okta}/oauth2/orders"}
