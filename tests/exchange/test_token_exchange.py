"""The form that is sent, as tables of literal values."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.authentication.subject_token import SubjectToken
from proxy.exchange.actors import ActorToken
from proxy.exchange.token_exchange import (
    TokenRequest,
    build_form,
    encode_component,
    encode_form,
)

NOW = 1_800_000_000.0
URN = "urn:ietf:params:oauth:token-type:"
ALICE = SubjectToken("alice.token", "okta", "https://as", "alice", {}, b"", NOW + 600)


def test_the_form_is_rfc_8693s_as_oktas_guide_shows_it():
    """X-01: exactly these fields, percent-encoded."""
    request = TokenRequest(
        "okta", "token_exchange", audience=("api://orders",), scopes=("orders:read", "a+b")
    )
    assert encode_form(build_form(request, ALICE)) == (
        b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
        b"&subject_token=alice.token"
        b"&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
        b"&audience=api%3A%2F%2Forders&scope=orders%3Aread%20a%2Bb"
    )


def test_all_that_a_route_may_add():
    """X-01: resource, requested type, actor with its type, extra parameters."""
    request = TokenRequest(
        "okta",
        "token_exchange",
        resource=("https://orders.example",),
        subject_token_type="id_token",
        requested_token_type="jwt",
        actor=True,
        extra_parameters=(("tenant", "é &="),),
    )
    actor = ActorToken("ours", URN + "access_token", {})
    assert dict(parse_qsl(encode_form(build_form(request, ALICE, actor)).decode())) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "alice.token",
        "subject_token_type": URN + "id_token",
        "requested_token_type": URN + "jwt",
        "resource": "https://orders.example",
        "actor_token": "ours",
        "actor_token_type": URN + "access_token",
        "tenant": "é &=",
    }


@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        ("client_credentials", {"grant_type": "client_credentials", "scope": "s"}),
        (
            "jwt_bearer",
            {
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": "alice.token",
                "requested_token_use": "on_behalf_of",
                "scope": "s",
            },
        ),
    ],
)
def test_the_sibling_grants(grant, expected):
    """Client credentials send no user's token; Entra's on-behalf-of sends it as the assertion."""
    assert dict(build_form(TokenRequest("okta", grant, scopes=("s",)), ALICE)) == expected


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1))
def test_a_form_reads_back_as_it_was(form):
    """Whatever stands in a value, a form decoder gets it back."""
    text = encode_form(form).decode()
    assert parse_qsl(text, keep_blank_values=True, strict_parsing=True) == form
    assert "+" not in text


def test_what_is_asked_for_twice_is_sent_twice():
    """RFC 8693 §2.1: audience and resource may be repeated."""
    request = TokenRequest("okta", "token_exchange", audience=("a", "b"), resource=("urn:c", "urn:d"))
    form = build_form(request, ALICE)
    assert [pair for pair in form if pair[0] in ("audience", "resource")] == [
        ("audience", "a"),
        ("audience", "b"),
        ("resource", "urn:c"),
        ("resource", "urn:d"),
    ]


@pytest.mark.parametrize(
    ("requested", "grant_type"),
    [
        ("urn:okta:params:oauth:token-type:oauth-sts", "urn:ietf:params:oauth:grant-type:token-exchange"),
        (
            "http://auth0.com/oauth/token-type/federated-connection-access-token",
            "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token",
        ),
    ],
)
def test_types_of_a_vendors_own(requested, grant_type):
    """Auth0's Token Vault calls the exchange by another name."""
    request = TokenRequest("a", "token_exchange", requested_token_type=requested)
    form = dict(build_form(request, ALICE))
    assert (form["grant_type"], form["requested_token_type"]) == (grant_type, requested)


@given(st.text() | st.text(st.characters(max_codepoint=127)))
def test_only_unreserved_characters_stand_for_themselves(text):
    """RFC 3986 §2.3: all others are percent-encoded."""
    assert encode_component(text) == quote(text, safe="")
