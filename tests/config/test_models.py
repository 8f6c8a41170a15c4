"""The settings as values: what one part of them says of another."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from pydantic import ValidationError

from proxy.config.models import Client, Listen, Settings
from proxy.config.shape import build_section
from proxy.config.units import Secret


def build(grant: str, named: str | None, *servers: str) -> Settings:
    """One route by that grant, which names a server or none."""
    route = {"name": "a", "path": "/", "upstream": "http://a", "grant": grant, "authorization_server": named}
    return build_section(
        Settings,
        {
            "routes": [route],
            "authorization_servers": {name: {"issuer": f"https://{name}"} for name in servers},
        },
    )


@pytest.mark.parametrize(
    ("settings", "server"),
    [
        (build("token_exchange", None, "okta"), "okta"),
        (build("token_exchange", "other", "okta", "other"), "other"),
        (build("client_credentials", "okta", "okta"), "okta"),
        (build("token_exchange", None), None),
    ],
    ids=["the only one", "the one it names", "both", "none"],
)
def test_where_a_route_gets_its_token(settings: Settings, server: str | None):
    """A single server need not be named."""
    assert settings.authorization_server_of(settings.routes[0]) == server


@pytest.mark.parametrize(
    ("auth", "shows"),
    [
        ("client_secret_basic", False),
        ("private_key_jwt", False),
        ("tls_client_auth", True),
        ("self_signed_tls_client_auth", True),
    ],
)
def test_who_shows_a_certificate(auth: str, shows: bool):
    """RFC 8705 §2: in the TLS handshake, so its URLs are https."""
    assert Client(id="a", auth=auth).shows_certificate is shows


def test_settings_do_not_change():
    """F-39: a reload makes others; whoever serves by these can rely on them."""
    settings = build("none", None)
    with pytest.raises(FrozenInstanceError):
        settings.listen = Listen()
    with pytest.raises(FrozenInstanceError):
        settings.listen.port = 1


def test_no_secret_is_shown():
    """X-14: neither by a repr nor by a text."""
    client = Client(id="a", secret=Secret("canary"))
    assert "canary" not in f"{client!r} {client}"


@pytest.mark.parametrize("section", [{"lisen": {}}, {"listen": {"prt": 1}}])
def test_unknown_keys_are_refused(section: dict[str, object]):
    """O-06: one that nobody reads is a mistake."""
    with pytest.raises(ValidationError, match="Unexpected keyword"):
        build_section(Settings, {"routes": [], **section})
