"""What must hold for where we listen."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .samples import EXPOSED, change, faults_of


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("listen.host", "http://0.0.0.0", "listen.host: not a host name or address without a port (got 'http://0.0.0.0')"),
        ("listen.keep_alive_timeout", 0, "listen.keep_alive_timeout: must be more than 0"),
        ("admin.port", 8080, "admin.port: the same as listen.port: the admin side needs one of its own (got 8080)"),
        ("admin", {"port": 8080, "host": "127.0.0.1"}, "admin.port: the same as listen.port: the admin side needs one of its own (got 8080)"),
        ("admin.host", "a:b c", "admin.host: not a host name or address without a port (got 'a:b c')"),
    ],
)  # fmt: skip
def test_faults_of_a_side(path: str, value: Any, fault: str) -> None:
    """Each has a host and a port of its own."""
    assert faults_of(change((path, value))) == [fault]


@pytest.mark.parametrize("name", ["a b", "X-É", "X:", "", "*", "X-*-User", "**", "X-User\n"])
def test_headers_to_strip(name: str) -> None:
    """H-32: a name that no header can have is a fault; one that ends with a * stands for all that begin so."""
    raw = change(("listen.strip_headers", ["X-Corp-*", "Cookie", name]))
    (fault,) = faults_of(raw)
    assert fault.startswith("listen.strip_headers[2]: ")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "orders.internal"])
def test_an_open_admin_side_needs_a_token(host: str, tmp_path: Path) -> None:
    """Whoever reaches it could purge users and read the configuration; the remedy is in the fault."""
    assert faults_of(change(("admin.host", host))) == [f"admin.token_file: {EXPOSED} (got {host!r})"]
    token = tmp_path / "token"
    token.write_text("t0ken")
    token.chmod(0o400)
    assert faults_of(change(("admin", {"host": host, "token_file": str(token)}))) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    """Nobody beyond this machine reaches it."""
    assert faults_of(change(("admin.host", host))) == []


def test_a_port_that_both_sides_want_is_a_fault_beside_an_open_admin_side() -> None:
    """Both come at once."""
    raw = change(("admin", {"port": 8080, "host": "::"}))
    assert [fault.partition(":")[0] for fault in faults_of(raw)] == ["admin.port", "admin.token_file"]


@pytest.mark.parametrize(
    ("networks", "sound"),
    [
        (["0.0.0.0/0"], False),
        (["10.0.0.0/8", "::/0"], False),
        (["0.0.0.0/1", "128.0.0.0/1"], False),
        (["0.0.0.0/1"], True),
        (["10.0.0.0/8", "172.16.0.0/12", "::1", "fc00::/7"], True),
        ([], True),
    ],
)
def test_not_everybody_is_a_trusted_proxy(networks: list[str], sound: bool) -> None:
    """H-50: whoever is trusted says who the caller is."""
    fault = "listen.trusted_proxies: every address, so that any caller could choose its X-Forwarded-For: name the proxies' networks"
    assert faults_of(change(("listen.trusted_proxies", networks))) == ([] if sound else [fault])


@pytest.mark.parametrize("port", [0, 9090])
def test_listeners_that_do_not_collide(port: int) -> None:
    """Port 0 is any that is free, so two of them never collide; nor do two addresses."""
    raw = change(
        ("listen", {"port": port}),
        ("admin", {"port": port, "host": "127.0.0.1" if not port else "127.0.0.2"}),
    )
    assert faults_of(raw) == []
