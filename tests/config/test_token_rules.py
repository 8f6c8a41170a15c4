"""What must hold for the token that a route asks for, and for where it is shown."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from .samples import change, faults_of


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            [("requested_token_type", "saml2")],
            "routes[0].requested_token_type: neither access_token, jwt nor an absolute URI (got 'saml2')",
        ),
        (
            [("requested_token_type", "urn:ietf:params:oauth:token-type:id-jag")],
            "routes[0].requested_token_type: no API takes an ID-JAG: use grant: id_jag",
        ),
        (
            [("authorization_details", [{"actions": ["read"]}])],
            "routes[0].authorization_details[0].type: required (RFC 9396 §2)",
        ),
        (
            [("authorization_details", [{"type": "a", "on": date(2026, 1, 1)}])],
            "routes[0].authorization_details[0]: has what JSON cannot hold: put dates in quotes",
        ),
        ([("authorization_details", "payment")], "routes[0].authorization_details: not a list"),
        (
            [("actor", "yes")],
            "routes[0].actor: neither true, false nor a mapping with file or header (got 'yes')",
        ),
        ([("actor", {"type": "jwt"})], "routes[0].actor: needs file or header; true is our own token"),
        ([("actor", {"file": __file__, "header": "X-A"})], "routes[0].actor: needs either file or header"),
        (
            [("actor", {"header": "X-A", "type": "saml"})],
            "routes[0].actor.type: neither jwt, access_token, id_token nor an absolute URI (got 'saml')",
        ),
        (
            [("actor", {"header": "Authorization"})],
            "routes[0].actor.header: also where the caller's own token stands (got 'Authorization')",
        ),
        (
            [("actor", {"header": "Host"})],
            "routes[0].actor.header: not a header that may carry a token (got 'Host')",
        ),
        ([("actor", {"headre": "X-A"})], "routes[0].actor.headre: unknown key (did you mean 'header'?)"),
        ([("max_actors", -1)], "routes[0].max_actors: less than 0 (got -1)"),
        ([("allowed_actors", "agent")], "routes[0].allowed_actors: not a list (got 'agent')"),
        ([("token_out", {})], "routes[0].token_out: needs one of header, query and cookie"),
        (
            [("token_out", {"header": "X-A", "cookie": "a"})],
            "routes[0].token_out: needs one of header, query and cookie",
        ),
        (
            [("token_out", {"query": "a&b"})],
            "routes[0].token_out.query: not the name of a query parameter (got 'a&b')",
        ),
        (
            [("token_out", {"cookie": "a;b"})],
            "routes[0].token_out.cookie: not the name of a cookie (got 'a;b')",
        ),
        (
            [("token_out", {"cookie": "a", "scheme": "X"})],
            "routes[0].token_out.scheme: only a header has one",
        ),
        (
            [("token_out", {"header": "Connection"})],
            "routes[0].token_out.header: not a header that may carry a token (got 'Connection')",
        ),
        (
            [("token_out", {"header": "Proxy_Authorization"})],
            "routes[0].token_out.header: not a header that may carry a token (got 'Proxy_Authorization')",
        ),
        (
            [("token_out", {"header": "Host"})],
            "routes[0].token_out.header: not a header that may carry a token (got 'Host')",
        ),
        (
            [("token_out", {"header": "X-Forwarded-For"})],
            "routes[0].token_out.header: not a header that may carry a token",
        ),
        (
            [("token_out", {"header": "Sec-WebSocket-Protocol"})],
            "routes[0].token_out.header: not a header that may carry a token",
        ),
        (
            [("token_out", {"header": "X-A", "scheme": "a b"})],
            "routes[0].token_out.scheme: not an authentication scheme (got 'a b')",
        ),
        (
            [("token_in", {"header": "X-A"}), ("token_out", {"header": "x_a"})],
            "routes[0].token_out: also the place of the caller's own token (token_in)",
        ),
        (
            [("token_in", {"query": "t"}), ("token_out", {"query": "t"})],
            "routes[0].token_out: also the place of the caller's own token (token_in)",
        ),
        (
            [("grant", "none"), ("audience", ...), ("token_out", {"cookie": "a"})],
            "routes[0].token_out: not used with grant: none, so leave it out",
        ),
    ],
)
def test_the_token_that_is_asked_for(changes: list[tuple[str, Any]], fault: str) -> None:
    """What it is, and where it stands on the way up: nowhere that HTTP, or the caller's own token, has for itself."""
    (found,) = faults_of(change(*((f"routes.0.{key}", value) for key, value in changes)))
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("requested_token_type", "urn:okta:params:oauth:token-type:oauth-sts"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("token_out", {"header": "X-Api-Token", "scheme": ""}),
        ("token_out", {"header": "Authorization", "scheme": "Bearer"}),
        ("token_out", {"header": "Authorization", "scheme": ""}),
        ("token_out", {"query": "access_token"}),
        ("token_out", {"cookie": "session"}),
        ("authorization_details", [{"type": "payment"}]),
        ("audience", ["api://a", "api://b"]),
        ("actor", True),
        ("actor", False),
        ("actor", {"header": "X-Actor-Token", "type": "urn:ietf:params:oauth:token-type:jwt"}),
        ("allowed_actors", []),
    ],
)
def test_tokens_of_every_kind_are_sound(key: str, value: Any) -> None:
    """As the reference says."""
    assert faults_of(change((f"routes.0.{key}", value))) == []
