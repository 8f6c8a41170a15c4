"""What a running process keeps of its configuration, whatever the file says since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxy.config.fixed import keep_fixed
from proxy.config.load import ConfigurationError, parse_settings
from proxy.config.models import Listen, ListenTLS, Settings

from .samples import change

TLS = ListenTLS(cert_file=Path("cert"), key_file=Path("key"))


def settings(*changes: tuple[str, Any]) -> Settings:
    return parse_settings(change(*changes))


def with_tls(tls: ListenTLS | None) -> Settings:
    return replace(settings(), listen=Listen(tls=tls))


@pytest.mark.parametrize(
    ("path", "value", "waits"),
    [
        ("listen.host", "127.0.0.2", True),
        ("listen.port", 1, True),
        ("listen.workers", 2, True),
        ("listen.max_connections", 5, True),
        ("listen.header_timeout", "1s", True),
        ("listen.drain_timeout", "1s", True),
        ("listen.trusted_proxies", ["10.0.0.0/8"], False),
        ("listen.max_body_bytes", 1, False),
        ("listen.server_timing", True, False),
        ("admin.host", "127.0.0.2", True),
        ("admin.port", 1, True),
        ("tracing.otlp_endpoint", "http://collector:4318", True),
        ("cache.max_entries", 5, False),
        ("log.level", "debug", False),
        ("routes.0.upstream", "http://other", False),
    ],
)
def test_what_takes_a_restart(path: str, value: Any, waits: bool) -> None:
    """It stays, and its key is told; the rest is as loaded."""
    running, loaded = settings(), settings((path, value))
    kept, keys = keep_fixed(running, loaded)
    assert (kept, keys) == ((running, (path,)) if waits else (loaded, ()))


@pytest.mark.parametrize(
    ("before", "after", "kept", "keys"),
    [
        (TLS, None, TLS, ("listen.tls",)),
        (None, TLS, None, ("listen.tls",)),
        (TLS, replace(TLS, key_file=Path("other")), ..., ()),
        (TLS, TLS, TLS, ()),
    ],
)
def test_tls(before: ListenTLS | None, after: ListenTLS | None, kept: Any, keys: tuple[str, ...]) -> None:
    """Its files may change; whether it is spoken may not."""
    result, waiting = keep_fixed(with_tls(before), with_tls(after))
    assert (result.listen.tls, waiting) == (after if kept is ... else kept, keys)


@pytest.mark.parametrize(
    ("before", "after", "kept", "keys"),
    [
        (None, {}, None, ("authorizer",)),
        ({}, ..., {}, ("authorizer",)),
        ({}, {"port": 1}, {}, ("authorizer.port",)),
        ({}, {"host": "unix:/run/obo.sock"}, {}, ("authorizer.host",)),
        ({}, {"allowed_peers": ["10.0.0.0/8"]}, {"allowed_peers": ["10.0.0.0/8"]}, ()),
    ],
)
def test_the_authorizer(before: Any, after: Any, kept: Any, keys: tuple[str, ...]) -> None:
    """Whether and where gateways ask takes a restart; which of them may does not."""
    loaded = settings() if after is ... else settings(("authorizer", after))
    result, waiting = keep_fixed(settings(("authorizer", before)), loaded)
    assert (result.authorizer, waiting) == (settings(("authorizer", kept)).authorizer, keys)


def test_an_authorizer_that_goes_with_the_next_start_only() -> None:
    """The file alone would be sound: the port at which gateways ask is open until then."""
    loaded = settings(("routes.0.token_in", {"query": "access_token"}))
    with pytest.raises(ConfigurationError, match=r"^routes\[0\].token_in: not with an authorizer"):
        keep_fixed(settings(("authorizer", {})), loaded)


def test_an_open_port_without_a_token(tmp_path: Path) -> None:
    """The file alone would be sound: the address that is listened on is not the file's any more."""
    token = tmp_path / "token"
    token.write_text("t0ken")
    token.chmod(0o400)
    running = settings(("admin", {"host": "0.0.0.0", "token_file": str(token)}))
    with pytest.raises(
        ConfigurationError, match=r"^admin.token_file: required where admin.host is not loopback"
    ):
        keep_fixed(running, settings())
    closing = settings(("admin.token_file", str(token)))
    assert keep_fixed(running, closing)[0].admin == running.admin
