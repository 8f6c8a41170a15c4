"""What ``config show`` hides."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import yaml

from proxy.config.load import parse_settings
from proxy.config.models import Settings
from proxy.config.show import build_shown

from .samples import CLIENT, change


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """The effective configuration can be pasted into a ticket."""
    keys = tmp_path / "keys"
    keys.write_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    keys.chmod(0o600)
    raw = change(
        (f"{CLIENT}.secret", "CANARY"),
        ("authorization_servers.okta.proxy_url", "http://user:CANARY@proxy:3128"),
        ("authorization_servers.okta.token_url", "https://okta/token?code=CANARY&a=CANARY"),
        ("cache.shared", {"url": "valkey://:CANARY@cache", "encryption_key_file": str(keys)}),
        ("routes.0.extra_parameters", {"client_password": "CANARY", "tenant": "blue"}),
    )
    settings = parse_settings(raw)
    shown = build_shown(settings)
    assert "CANARY" not in repr(shown)
    assert "CANARY" not in repr(settings).replace("code=CANARY&a=CANARY", "")
    server = shown["authorization_servers"]["okta"]
    assert server["client"]["secret"] == "***"
    assert server["proxy_url"] == "http://***@proxy:3128"
    assert server["token_url"] == "https://okta/token?code=***&a=***"
    assert shown["routes"][0]["extra_parameters"] == {"client_password": "***", "tenant": "blue"}


def test_what_is_shown_is_plain_and_whole() -> None:
    """Every key with its value in force, as YAML can write it."""
    shown = build_shown(parse_settings(change()))
    assert list(shown) == [field.name for field in fields(Settings)]
    assert shown["listen"]["port"] == 8080
    assert yaml.safe_load(yaml.safe_dump(shown)) == shown
