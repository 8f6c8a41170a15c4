"""The answer that is taken, as tables of literal values."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import pytest

from proxy.authentication.subject_token import SubjectToken
from proxy.errors import ExchangeResponseInvalid
from proxy.exchange.token_exchange import AccessToken, TokenRequest
from proxy.exchange.token_response import parse_claims, parse_token_response

NOW = 1_800_000_000.0
URN = "urn:ietf:params:oauth:token-type:"
REQUEST = TokenRequest("okta", "token_exchange", audience=("api://orders",), scopes=("orders:read",))
ALICE = SubjectToken("alice.token", "okta", "https://as", "alice", {}, b"", NOW + 600)
GOOD = {"access_token": "opaque", "token_type": "Bearer", "issued_token_type": URN + "access_token"}


def make_jwt(**claims: object) -> str:
    parts = ({"alg": "RS256"}, {"aud": "api://orders", "sub": "alice", "exp": NOW + 300} | claims)
    segments = [
        urlsafe_b64encode(json.dumps({k: v for k, v in part.items() if v is not None}).encode())
        .rstrip(b"=")
        .decode()
        for part in parts
    ]
    return ".".join([*segments, "c2ln"])


def parse(answer: dict, request: TokenRequest = REQUEST, *, check_subject: bool = True) -> AccessToken:
    return parse_token_response(GOOD | answer, request, ALICE, now=NOW, check_subject=check_subject)


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER"])
def test_bearer_in_any_case(token_type):
    """X-03: the type is compared without regard to case and said in ours."""
    token = parse({"token_type": token_type, "access_token": "a-._~+/b="})
    assert (token.token_type, token.authorization) == ("Bearer", b"Bearer a-._~+/b=")


def test_a_bound_token_is_shown_as_one():
    """D-04: a DPoP token is never said to be a bearer token."""
    token = parse({"token_type": "dpop"})
    assert (token.token_type, token.authorization) == ("DPoP", b"DPoP opaque")


@pytest.mark.parametrize(
    "answer",
    [
        *[
            pytest.param({"token_type": value}, id=f"X-03 type {value!r}")
            for value in ("N_A", "mac", None, 5, "")
        ],
        *[
            pytest.param({"access_token": value}, id=f"X-05 token {str(value)[:20]!r}")
            for value in (None, "", 5, ["a"], "abc\r\nX-Admin: 1", "a b", "a\0b", "é", "a\n", "x" * 16385)
        ],
        *[
            pytest.param({"issued_token_type": URN + value}, id=f"X-04 {value}")
            for value in ("refresh_token", "id_token", "saml2", "Access_token")
        ],
        pytest.param({"issued_token_type": ["a"]}, id="X-04 list"),
        pytest.param({"access_token": "alice.token"}, id="the subject token itself"),
        pytest.param({"scope": "orders:write"}, id="X-06 other scopes"),
        pytest.param({"scope": ""}, id="X-06 no scopes"),
        pytest.param({"scope": ["orders:read"]}, id="X-06 a list"),
        pytest.param({"access_token": make_jwt(aud="client")}, id="X-07 another audience"),
        pytest.param({"access_token": make_jwt(aud=["a", "api://orders/"])}, id="X-07 none of the audiences"),
        pytest.param({"access_token": make_jwt(aud=None)}, id="X-07 no audience"),
        pytest.param({"access_token": make_jwt(sub="bob")}, id="X-07 another user"),
        pytest.param({"access_token": make_jwt(sub=None)}, id="X-07 no user"),
        pytest.param({"access_token": make_jwt(exp=NOW)}, id="X-07 ended"),
        *[
            pytest.param({"access_token": make_jwt(exp=value)}, id=f"X-07 exp {value!r}")
            for value in ("1900000000", True, [1], -1)
        ],
    ],
)
def test_answers_that_are_refused(answer):
    """X-03 to X-07: what is not the token asked for goes no further."""
    with pytest.raises(ExchangeResponseInvalid):
        parse(answer)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"issued_token_type": None}, id="X-04 left out"),
        pytest.param({"issued_token_type": URN + "jwt"}, id="X-04 jwt"),
        pytest.param({"scope": "orders:read orders:list"}, id="X-06 more scopes"),
        pytest.param({"access_token": make_jwt(aud=["a", "api://orders"])}, id="X-07 among the audiences"),
        pytest.param({"access_token": "a.b.c"}, id="opaque with two dots"),
    ],
)
def test_answers_that_are_taken(answer):
    """X-04, X-06, X-07: what a lenient reader may accept."""
    assert parse(answer).expires_at in (None, NOW + 300)


def test_another_sub_by_design():
    """X-07: check_subject: false accepts a pairwise sub; our own token has nobody's."""
    assert parse({"access_token": make_jwt(sub="pairwise")}, check_subject=False)
    own = TokenRequest("okta", "client_credentials", audience=("api://orders",))
    assert parse({"access_token": make_jwt(sub="0oa9")}, own)


def test_scopes_left_out_are_those_asked_for():
    """X-06: RFC 6749 §5.1; Entra's flow answers in its own spelling."""
    assert parse({}).scopes == ("orders:read",)
    entra = TokenRequest("entra", "jwt_bearer", scopes=("api://x/.default",))
    assert parse({"scope": "User.Read"}, entra).scopes == ("User.Read",)


@pytest.mark.parametrize(
    ("expires_in", "life"),
    [
        (3600, 3600),
        ("3600", 3600),
        (3600.5, 3600.5),
        (0, 0),
        (-1, 0),
        (True, 0),
        ("soon", 0),
        ("", 0),
        ("1e3", 0),
        ("9" * 19, 0),
        ([3600], 0),
        (float("nan"), 0),
        (float("inf"), 0),
        (10**18, 315_360_000),
        (10**400, 315_360_000),
        (None, None),
    ],
    ids=lambda value: str(value)[:12],
)
def test_lifetimes(expires_in, life):
    """C-10: what is no duration makes a token to be used once; absurd ones are cut."""
    expires_at = parse({"expires_in": expires_in}).expires_at
    assert expires_at == (None if life is None else NOW + life)


@pytest.mark.parametrize(("expires_in", "exp", "life"), [(600, 60, 60), (60, 600, 60), (None, 60, 60)])
def test_the_earlier_end_counts(expires_in, exp, life):
    """C-11: the token's own exp caps what expires_in says."""
    token = parse({"expires_in": expires_in, "access_token": make_jwt(exp=NOW + exp)})
    assert token.expires_at == NOW + life


@pytest.mark.parametrize("value", ["opaque", "a.b", "e30.e30.", "!.!.!", "W10.e30.x", make_jwt() + ".x"])
def test_what_is_no_jwt_is_opaque(value):
    """A token that cannot be read as a signed JWT is not looked into."""
    assert parse_claims(value) is None


def test_no_token_shows_in_a_repr():
    """X-14: neither the value nor the field made of it."""
    assert "opaque" not in repr(parse({}))


VAULT = "urn:okta:params:oauth:token-type:vaulted-secret"


@pytest.mark.parametrize(
    ("secret", "value"),
    [
        ({"apikey": "k1", "username": None}, "k1"),
        ({"private": "k2"}, "k2"),
        ({"username": "u", "password": "k3"}, "k3"),
        ({"username": "u"}, None),
        ("k4", None),
    ],
)
def test_a_secret_from_oktas_vault(secret, value):
    """It stands apart, under a name that depends on its kind."""
    request = TokenRequest("okta", "token_exchange", resource=("urn:x",), requested_token_type=VAULT)
    answer = {"token_type": "N_A", "issued_token_type": VAULT, "expires_in": 300, "vaulted_secret": secret}
    if value is None:
        with pytest.raises(ExchangeResponseInvalid, match="no access_token"):
            parse_token_response(answer, request, ALICE, now=NOW, check_subject=True)
        return
    token = parse_token_response(answer, request, ALICE, now=NOW, check_subject=True)
    assert (token.value, token.expires_at) == (value, NOW + 300)


@pytest.mark.parametrize(
    ("aud", "passes"), [(["a", "b"], True), (["b", "c", "a"], True), ("a", False), (["a"], False)]
)
def test_every_audience_asked_for_is_there(aud, passes):
    """X-07: a token for one of two would be refused by the other."""
    request = TokenRequest("okta", "token_exchange", audience=("a", "b"))
    if passes:
        assert parse({"access_token": make_jwt(aud=aud)}, request)
        return
    with pytest.raises(ExchangeResponseInvalid, match="audience_mismatch"):
        parse({"access_token": make_jwt(aud=aud)}, request)
