"""What must hold for an authorization server."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

from typing import Any

import pytest

from .samples import CLIENT, SERVER, change, faults_of

HTTP = "plain http is refused, for tokens and keys travel here: use https (allow_http: true accepts the risk)"


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("issuer", "example.okta.com", f"{SERVER}.issuer: not an absolute URL (got 'example.okta.com')"),
        ("issuer", "http://okta.example", f"{SERVER}.issuer: {HTTP} (got 'http://okta.example')"),
        ("issuer", "https://x/?a=b", f"{SERVER}.issuer: a query ('?…') is refused (got 'https://x/?a=***')"),
        ("issuer", "https://x/#", f"{SERVER}.issuer: a fragment ('#…') is refused (got 'https://x/#')"),
        ("issuer", "https://u:p@x", f"{SERVER}.issuer: a user name or password in a URL is refused (got 'https://***@x')"),
        ("issuer", "https://a-admin.okta.com/oauth2/default", f"{SERVER}.issuer: the address of Okta's Admin Console: leave out '-admin' (got 'https://a-admin.okta.com/oauth2/default')"),
        ("token_url", "http://x/token", f"{SERVER}.token_url: {HTTP} (got 'http://x/token')"),
        ("jwks_url", "file:///etc/passwd", f"{SERVER}.jwks_url: not an absolute URL (got 'file:///etc/passwd')"),
        ("introspection_url", "https://x/#a", f"{SERVER}.introspection_url: a fragment ('#…') is refused (got 'https://x/#a')"),
        ("proxy_url", "http://u:pw@proxy/a", f"{SERVER}.proxy_url: a path is refused here (got 'http://***@proxy/a')"),
        ("timeout", 0, f"{SERVER}.timeout: must be more than 0"),
        ("ca_file", "/nowhere", f"{SERVER}.ca_file: cannot be read: No such file or directory (got '/nowhere')"),
        ("ca_file", "/dev/null", f"{SERVER}.ca_file: holds no certificates in PEM (got '/dev/null')"),
        ("client", ..., f"{CLIENT}: required: the route 'orders' gets its token here"),
        ("client.secret", ..., f"{CLIENT}.secret: required, or secret_file, with auth: client_secret_basic"),
        ("client.secret", " ", f"{CLIENT}.secret: empty"),
        ("client.key_id", "a", f"{CLIENT}.key_id: not used with auth: client_secret_basic, but with private_key_jwt"),
        ("client", {"id": "a", "auth": "private_key_jwt"}, f"{CLIENT}.private_key_file: required with auth: private_key_jwt"),
    ],
)  # fmt: skip
def test_authorization_servers(path: str, value: Any, fault: str) -> None:
    """A-18: an authorization server that cannot be talked to safely is refused with its reason."""
    assert faults_of(change((f"{SERVER}.{path}", value))) == [fault]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
def test_http_on_loopback_is_taken(host: str) -> None:
    """A-18: plain http is for loopback."""
    assert faults_of(change((f"{SERVER}.issuer", f"http://{host}/oauth2/default"))) == []


def test_http_elsewhere_needs_a_word() -> None:
    """A-18: allow_http accepts the risk for one server."""
    raw = change((f"{SERVER}.issuer", "http://okta.example"), (f"{SERVER}.allow_http", True))
    assert faults_of(raw) == []


@pytest.mark.parametrize("host", ["login.example.com", "notokta.com", "okta.com.evil.example"])
def test_other_hosts_are_no_org_server(host: str) -> None:
    """A-19: a custom domain may be any path's issuer."""
    assert faults_of(change((f"{SERVER}.issuer", f"https://{host}"))) == []
