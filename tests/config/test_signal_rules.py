"""What must hold for ``signals``."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

from typing import Any

import pytest

from proxy.config.load import parse_settings

from .samples import change, faults_of

SIGNALS: dict[str, Any] = {
    "authorization_server": "okta",
    "issuer": "https://example.okta.com",
    "jwks_url": "https://example.okta.com/oauth2/v1/keys",
    "audience": "https://proxy.example.com/signals/okta",
    "path": "/signals/okta",
    "revocation_path": "/signals/okta/revocation",
}
ODD_PATH = "not a path that starts with '/' and reads alike to all"
HTTP = "plain http is refused, for tokens and keys travel here: use https (allow_http: true accepts the risk)"


def test_the_sample_is_sound() -> None:
    """Users are found by Okta's user id and by the login, unless said."""
    (entry,) = parse_settings(change(("signals", [SIGNALS]))).signals
    assert entry.match == {"sub": "uid", "email": "sub"}


def test_it_is_off_unless_configured() -> None:
    """Nothing listens by itself."""
    assert parse_settings(change()).signals == ()


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("authorization_server", "otka", "authorization_server: no such authorization server, did you mean 'okta'? (got 'otka')"),
        ("issuer", "example.okta.com", "issuer: not an absolute URL (got 'example.okta.com')"),
        ("issuer", "http://example.okta.com", f"issuer: {HTTP} (got 'http://example.okta.com')"),
        ("jwks_url", "http://example.okta.com/keys", f"jwks_url: {HTTP} (got 'http://example.okta.com/keys')"),
        ("jwks_url", ..., "jwks_url: required"),
        ("audience", ..., "audience: required"),
        ("audience", "receiver-1", "audience: not an absolute URL: beside revocation_path it says by which host the transmitter calls (got 'receiver-1')"),
        ("path", "signals", f"path: {ODD_PATH} (got 'signals')"),
        ("path", "/", f"path: {ODD_PATH} (got '/')"),
        ("path", "/a//b", f"path: {ODD_PATH} (got '/a//b')"),
        ("path", "/orders", "path: also the path of routes[0]: give it one of its own (got '/orders')"),
        ("path", "/orders/", "path: also the path of routes[0]: give it one of its own (got '/orders/')"),
        ("path", "/jwks", "path: also the path of publish_jwks: give it one of its own (got '/jwks')"),
        ("path", "/.well-known/oauth-protected-resource/x", "path: also the path of protected_resource_metadata: give it one of its own (got '/.well-known/oauth-protected-resource/x')"),
        ("revocation_path", "/signals/okta", "revocation_path: also the path of signals[0].path: give it one of its own (got '/signals/okta')"),
        ("match", {}, "match: needs at least 1 entry"),
        ("match", {"sub": ""}, "match.sub: empty"),
        ("match", {"login": "sub"}, "match.login: not one of 'sub', 'email', 'phone_number', 'id' or 'uri'"),
        ("matches", {}, "matches: unknown key (did you mean 'match'?)"),
    ],
)  # fmt: skip
def test_faults(key: str, value: Any, fault: str) -> None:
    """Each by its place, with what to do about it."""
    entry = {name: given for name, given in (SIGNALS | {key: value}).items() if given is not ...}
    raw = change(("signals", [entry]), ("protected_resource_metadata", True), ("publish_jwks", "/jwks"))
    found = [one for one in faults_of(raw) if not one.startswith("publish_jwks: no client")]
    assert found == [f"signals[0].{fault}"]


def test_two_receivers_need_two_paths() -> None:
    """The later one is at fault."""
    other = SIGNALS | {"path": "/signals/okta/revocation", "revocation_path": None}
    assert faults_of(change(("signals", [SIGNALS, other]))) == [
        "signals[1].path: also the path of signals[0].revocation_path: give it one of its own (got '/signals/okta/revocation')"
    ]


def test_a_server_whose_tokens_nobody_may_present() -> None:
    """Its events could mean nobody."""
    other = {"issuer": "https://other.okta.com/oauth2/default"}
    raw = change(
        ("authorization_servers.other", other),
        ("routes.0.authorization_server", "okta"),
        ("signals", [SIGNALS | {"authorization_server": "other"}]),
    )
    assert faults_of(raw) == [
        "signals[0].authorization_server: no subject_tokens of it are accepted, so its events could mean nobody: name one whose tokens are (got 'other')"
    ]
