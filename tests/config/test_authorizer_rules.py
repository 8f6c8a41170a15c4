"""Where gateways may ask, and what of a route they cannot carry."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

from typing import Any

import pytest

from .samples import change, faults_of

ASKED = ("authorizer.host", "127.0.0.1")


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("host", "http://x", "host: neither a host name or address without a port, nor unix:/path (got 'http://x')"),
        ("host", "unix:obo.sock", "host: not like unix:/run/obo.sock, of 107 bytes at most (got 'unix:obo.sock')"),
        ("host", "unix:/" + "a" * 107, f"host: not like unix:/run/obo.sock, of 107 bytes at most (got 'unix:/{'a' * 107}')"),
        ("host", "0.0.0.0", "allowed_peers: required where authorizer.host is not loopback, for whoever asks is handed tokens: name the gateways' networks, or listen on 127.0.0.1 (got '0.0.0.0')"),
        ("port", 8080, "port: the same as listen.port: gateways ask at a port of their own (got 8080)"),
        ("port", 9090, "port: the same as admin.port: gateways ask at a port of their own (got 9090)"),
    ],
)  # fmt: skip
def test_addresses(key: str, value: Any, fault: str) -> None:
    """A port of its own, that strangers do not reach."""
    assert faults_of(change(ASKED, (f"authorizer.{key}", value))) == [f"authorizer.{fault}"]


@pytest.mark.parametrize(
    ("authorizer", "fault"),
    [
        ({"host": "0.0.0.0", "allowed_peers": ["0.0.0.0/1", "128.0.0.0/1"]}, "every address, so that anybody is handed tokens: name the gateways'"),
        ({"host": "unix:/run/obo.sock", "allowed_peers": ["10.0.0.0/8"]}, "a unix socket's peers have no address, so leave it out"),
    ],
)  # fmt: skip
def test_peers(authorizer: dict[str, Any], fault: str) -> None:
    assert faults_of(change(("authorizer", authorizer))) == [f"authorizer.allowed_peers: {fault}"]


@pytest.mark.parametrize(
    "authorizer",
    [
        {},
        {"host": "localhost"},
        {"host": "::1", "port": 0},
        {"host": "unix:/run/obo.sock", "port": 8080},
        {"host": "0.0.0.0", "allowed_peers": ["10.0.0.0/8", "fd00::/8"]},
    ],
)
def test_sound(authorizer: dict[str, Any]) -> None:
    assert faults_of(change(("authorizer", authorizer))) == []


IN_AUTHORIZATION = "not with an authorizer: the gateway would pass the caller's token on. Let it stand in Authorization, which the answer overwrites"


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("routes.0.token_in", {"query": "access_token"}, f"routes[0].token_in: {IN_AUTHORIZATION}"),
        ("routes.0.token_in", {"header": "X-Token"}, f"routes[0].token_in: {IN_AUTHORIZATION}"),
        ("routes.0.token_out", {"query": "t"}, "routes[0].token_out: not with an authorizer: gateways take tokens from a field of its answer alone. Name a header"),
        ("routes.0.token_out", {"cookie": "t"}, "routes[0].token_out: not with an authorizer: gateways take tokens from a field of its answer alone. Name a header"),
        ("routes.0.actor", {"header": "X-Actor"}, "routes[0].actor.header: not with an authorizer: the gateway would pass the actor's token on. Let it stand in a file"),
        ("routes.0.on_token_expiry", "close", "routes[0].on_token_expiry: close is not kept by a gateway, whose streams the authorizer does not see: leave it out, or authorizer"),
        ("authorization_servers.okta.dpop", True, "authorization_servers.okta.dpop: not with an authorizer: a gateway cannot prove the key that the tokens of routes[0] are bound to. Leave out dpop, or authorizer"),
    ],
)  # fmt: skip
def test_what_a_gateway_cannot_carry(path: str, value: Any, fault: str) -> None:
    """It is refused at the start, and sound without an authorizer."""
    assert faults_of(change(ASKED, (path, value))) == [fault]
    assert faults_of(change((path, value))) == []


def test_the_token_may_stand_in_authorization_under_another_scheme() -> None:
    raw = change(ASKED, ("routes.0.token_in", {"header": "authorization", "scheme": "Token"}))
    assert faults_of(raw) == []
