"""What is wrong is told with its place, and without what may be a secret."""

from __future__ import annotations

import pytest

from proxy.config.faults import ConfigurationError, Fault, build_place, got, hide_credentials

from .samples import change, faults_of

SECRET_PLACES = [
    ("authorization_servers.okta.client.secret", ["CANARY"]),
    ("authorization_servers.okta.client.secret", {"a": "CANARY"}),
    ("authorization_servers.okta.client", "CANARY"),
    ("authorization_servers.okta.client", ["CANARY"]),
    ("authorization_servers.okta.clientsecret", "CANARY"),
    ("authorization_servers.okta.proxy_url", "http://user:CANARY@x/y"),
    ("authorization_servers.okta.proxy_url", "user:CANARY@x"),
    ("authorization_servers.okta.proxy_url", "http://u:CANA/CANARY@x"),
    ("authorization_servers.okta.token_url", "http://x/?key=CANARY"),
    ("cache.shared", "CANARY"),
    ("cache.shared", {"url": "valkey://:CANARY@x y", "encryption_key_file": "/nowhere"}),
    ("cache.shared", {"url": ["CANARY"], "encryption_key_file": "/nowhere"}),
    ("routes.0.extra_parameters", {"client_secret": "CANARY"}),
    ("routes.0.extra_parameters", {"secret": ["CANARY"]}),
    ("routes.0.extra_parameters", ["CANARY"]),
    ("routes.0.upstream", "https://u:CANARY@x"),
    ("tracing.otlp_endpoint", "https://x?token=CANARY"),
]


@pytest.mark.parametrize(("path", "value"), SECRET_PLACES, ids=range(len(SECRET_PLACES)))
def test_no_secret_is_part_of_a_fault(path: str, value: object) -> None:
    """O-06: what may be a secret is never quoted."""
    faults = faults_of(change((path, value)))
    assert faults
    assert "CANARY" not in "".join(faults)


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        (("routes", 0, "upstream"), "routes[0].upstream"),
        (("listen",), "listen"),
        ((), ""),
        ((0,), "[0]"),
        (("a\n\x1b[31m", "b"), "a\ufffd\ufffd[31m.b"),
    ],
)
def test_places(parts: tuple[str | int, ...], place: str):
    """A key that somebody else wrote breaks no line of a terminal."""
    assert build_place(parts) == place


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://a/p", "http://a/p"),
        ("http://u:CANARY@a/p", "http://***@a/p"),
        ("http://CANARY@a", "http://***@a"),
        ("https://a/p?key=CANARY&token=CANARY", "https://a/p?key=***&token=***"),
        ("user:CANARY@a", "***"),
        ("http://[CANARY", "***"),
        ("plain text", "plain text"),
        ("a@b.example", "a@b.example"),
    ],
)
def test_credentials_of_a_url_are_hidden(text: str, shown: str):
    """X-14: user, password and the values of a query; what looks like a URL that is none is not shown at all."""
    assert hide_credentials(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a", " (got 'a')"),
        (5, " (got 5)"),
        (True, " (got True)"),
        (None, ""),
        (["CANARY"], ""),
        ({"a": "CANARY"}, ""),
        ("line\nbreak", " (got 'line\\nbreak')"),
        ("x" * 300, " (got '" + "x" * 199 + "…)"),
    ],
)
def test_the_offending_value(value: object, shown: str):
    """Short, on one line, and never what holds others."""
    assert got(value) == shown


def test_all_faults_come_at_once():
    """O-06: a line each, in their order."""
    error = ConfigurationError((Fault("a", "b"), Fault("c", "d")))
    assert str(error) == "a: b\nc: d"
    assert [fault.place for fault in error.faults] == ["a", "c"]
