"""Faults of shape: each at its place, all at once, none twice."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .samples import SOUND, change, faults_of

ROUTE = SOUND["routes"][0]


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("routs", 1, "routs: unknown key (did you mean 'routes'?)"),
        ("xyzzy", 1, "xyzzy: unknown key"),
        ("routes.0.upstraem", "x", "routes[0].upstraem: unknown key (did you mean 'upstream'?)"),
        ("routes.0.path", 5, "routes[0].path: not text: put it in quotes (got 5)"),
        ("routes.0.path", "", "routes[0].path: empty (got '')"),
        ("routes.0.upstream", ..., "routes[0].upstream: required"),
        ("routes.0", "orders", "routes[0]: not a mapping of keys to values"),
        ("routes", ..., "routes: required"),
        ("routes", [], "routes: needs at least 1 entry"),
        ("routes", "x", "routes: not a list (got 'x')"),
        ("routes.0.scopes", "a b", "routes[0].scopes: not a list (got 'a b')"),
        ("routes.0.name", "a b", "routes[0].name: only letters, digits, '.', '_' and '-' may stand here (got 'a b')"),
        ("routes.0.name", "a" * 65, "routes[0].name: longer than 64 characters (got '" + "a" * 65 + "')"),
        ("routes.0.tls", [], "routes[0].tls: not a mapping of keys to values"),
        ("routes.0.subject_token_file", 5, "routes[0].subject_token_file: not the path of a file (got 5)"),
        ("routes.0.grant", "magic", "routes[0].grant: not one of 'token_exchange', 'id_jag', 'identity_chaining', 'client_credentials', 'jwt_bearer' or 'none' (got 'magic')"),
        ("routes.0.extra_parameters", [], "routes[0].extra_parameters: not a mapping of keys to values"),
        ("routes.0.extra_parameters", {"a": 1}, "routes[0].extra_parameters.a: not text: put it in quotes"),
        ("listen.port", "eighty", "listen.port: not a whole number (got 'eighty')"),
        ("listen.port", 1.5, "listen.port: not a whole number (got 1.5)"),
        ("listen.port", [1], "listen.port: not a whole number"),
        ("listen.port", 70000, "listen.port: more than 65535 (got 70000)"),
        ("listen.workers", 0, "listen.workers: less than 1 (got 0)"),
        ("listen.trusted_proxies", ["10.0.0.0/8", "x"], "listen.trusted_proxies[1]: not a network such as 10.0.0.0/8 or ::1 (got 'x')"),
        ("listen.trusted_proxies", [5], "listen.trusted_proxies[0]: not a network such as 10.0.0.0/8 or ::1 (got 5)"),
        ("listen.header_timeout", "soon", "listen.header_timeout: not a duration such as 30, 500ms, 30s, 5m or 1h (got 'soon')"),
        ("listen.header_timeout", -1, "listen.header_timeout: less than 0 (got -1)"),
        ("listen.header_timeout", "9000h", "listen.header_timeout: more than 31622400 (got '9000h')"),
        ("listen.header_timeout", "²", "listen.header_timeout: not a duration such as 30, 500ms, 30s, 5m or 1h (got '²')"),
        ("listen.header_timeout", True, "listen.header_timeout: not a duration such as 30, 500ms, 30s, 5m or 1h (got True)"),
        ("a\nb: c", 1, "a�b: c: unknown key"),
        ("listen.max_body_bytes", "1 MB", "listen.max_body_bytes: not a size such as 65536, 64KiB or 1MiB (got '1 MB')"),
        ("listen.tls", {"cert_file": "x"}, "listen.tls.key_file: required"),
        ("log.access", "maybe", "log.access: neither true nor false (got 'maybe')"),
        ("log.access", [], "log.access: neither true nor false"),
        ("log", None, "log: not a mapping of keys to values"),
        ("authorization_servers", [], "authorization_servers: not a mapping of keys to values"),
        ("subject_tokens.0.algorithms", ["none"], "subject_tokens[0].algorithms[0]: not one of 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512' or 'EdDSA' (got 'none')"),
        ("subject_tokens.0.algorithms", [], "subject_tokens[0].algorithms: needs at least 1 entry"),
        ("authorization_servers.okta.client.secret", ["s3cr3t"], "authorization_servers.okta.client.secret: not text: put it in quotes"),
        ("authorization_servers.okta.client.secret", 12345, "authorization_servers.okta.client.secret: not text: put it in quotes"),
        ("authorization_servers.okta.client", "s3cr3t", "authorization_servers.okta.client: not a mapping of keys to values"),
        ("authorization_servers.okta.client_secret", "s3cr3t", "authorization_servers.okta.client_secret: unknown key (did you mean 'client'?)"),
        ("authorization_servers.okta.issuer", ..., "authorization_servers.okta.issuer: required"),
    ],
)  # fmt: skip
def test_one_fault_is_named_once_and_brings_no_others(path: str, value: Any, fault: str) -> None:
    """A fault has its place and its reason, and what follows from it is not reported beside it."""
    assert faults_of(change((path, value))) == [fault]


def test_a_name_must_be_plain() -> None:
    """Names stand in logs, metrics and paths of faults."""
    raw = change(
        ("authorization_servers.bad name", {"issuer": "https://x"}), ("routes.0.authorization_server", "okta")
    )
    assert faults_of(raw) == [
        "authorization_servers.bad name: only letters, digits, '.', '_' and '-' may stand here (got 'bad name')"
    ]


def test_a_mix_with_a_symmetric_algorithm_is_refused() -> None:
    """Contract 2.3: HS256 beside RS256 would let anybody sign with the public key."""
    (fault,) = faults_of(change(("subject_tokens.0.algorithms", ["RS256", "HS256"])))
    assert fault.startswith("subject_tokens[0].algorithms[1]: not one of")


def test_all_faults_come_at_once_of_shape_and_of_rules() -> None:
    """O-06: one run names everything that is to mend, whatever kind it is of."""
    raw = change(
        ("listen.port", "x"),
        ("listen.hots", "y"),
        ("routes.0.upstream", "orders:8080"),
        ("routes.0.max_age", "long"),
        ("routes.1", "what"),
        ("routes.2", {"name": "b", "path": "b", "upstream": "http://b", "scopes": ["openid"]}),
        ("authorization_servers.okta.client.secret", ...),
        ("subject_tokens.0.authorization_server", "otka"),
    )
    assert sorted(faults_of(raw)) == [
        "authorization_servers.okta.client.secret: required, or secret_file, with auth: client_secret_basic",
        "listen.hots: unknown key (did you mean 'host'?)",
        "listen.port: not a whole number (got 'x')",
        "routes[0].max_age: not a duration such as 30, 500ms, 30s, 5m or 1h (got 'long')",
        "routes[0].upstream: not an absolute URL (got 'orders:8080')",
        "routes[1]: not a mapping of keys to values",
        "routes[2].path: not a path that starts with '/' and reads alike to all (got 'b')",
        "routes[2].scopes[0]: an OpenID Connect scope, which Okta refuses to a service app: ask for the API's own scopes (got 'openid')",
        "subject_tokens[0].authorization_server: no such authorization server, did you mean 'okta'? (got 'otka')",
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("listen.port", "8080"),
        ("log.access", "true"),
        ("listen.header_timeout", "1.5s"),
        ("listen.header_timeout", "500ms"),
        ("listen.header_timeout", "30"),
        ("listen.header_timeout", "1.5"),
        ("listen.max_header_bytes", "65536"),
        ("listen.max_body_bytes", 1),
        ("listen.trusted_proxies", ["10.0.0.0/8", "::1", "192.0.2.1"]),
    ],
)
def test_spellings_that_are_taken(path: str, value: Any) -> None:
    """Numbers and switches may be text, as they are when they come from the environment."""
    assert faults_of(change((path, value))) == []


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_keys = st.sampled_from(
    [
        "routes",
        "name",
        "path",
        "issuer",
        "client",
        "secret",
        "listen",
        "port",
        "tls",
        "token_in",
        "cache",
        "a",
    ]
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)
_places = st.sampled_from(
    [
        "listen", "admin.port", "authorization_servers", "authorization_servers.okta",
        "authorization_servers.okta.client", "authorization_servers.x", "subject_tokens", "subject_tokens.0",
        "subject_tokens.0.algorithms", "routes", "routes.0", "routes.1", "routes.0.token_in", "routes.0.tls",
        "routes.0.upstream", "routes.0.extra_parameters", "routes.0.timeouts", "cache.shared", "cache.ignore_claims", "odd",
    ]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(_places, _values)
def test_nothing_but_faults_comes_of_nonsense(path: str, value: Any) -> None:
    """O-06: whatever the file holds, the answer is settings or faults, and no place is named twice for one reason."""
    faults = faults_of(change((path, value)))
    assert len(faults) == len(set(faults))


@settings(max_examples=50, deadline=None)
@given(_values.filter(lambda value: isinstance(value, dict)))
def test_nothing_but_faults_comes_of_other_files(value: Any) -> None:
    """A file that is no configuration at all is named so."""
    assert faults_of(value)
