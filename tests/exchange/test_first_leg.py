"""The token between two authorization servers: each way in which it may be another than the one asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proxy.errors import ExchangeResponseInvalid
from proxy.exchange.first_leg import FirstLeg, check_first_token
from proxy.exchange.token_exchange import TokenRequest, build_form
from proxy.exchange.token_response import parse_token_response

from ..support.exchanging import ALICE
from ..support.id_jag import CHAT, ID_JAG, OURS, make_first_token
from ..support.issuer import NOW

LEG = FirstLeg("id_jag", (CHAT,), OURS)
CHAIN = FirstLeg("identity_chaining", (CHAT,), OURS)
FIRST = TokenRequest(
    "okta",
    "token_exchange",
    audience=(CHAT,),
    resource=("https://api.chat.example/", "https://api.chat.example/v2"),
    scopes=("chat.read",),
    subject_token_type="id_token",
    requested_token_type=ID_JAG,
    leg=1,
    first_leg=LEG,
)
SECOND = TokenRequest("chat", "assertion", scopes=("chat.read", "chat.write"), leg=2)


def answer(token: str | None = None, **over: Any) -> dict[str, Any]:
    given = {"issued_token_type": ID_JAG, "token_type": "N_A", "access_token": token or make_first_token()}
    return {name: value for name, value in {**given, "expires_in": 300, **over}.items() if value is not None}


def parse(document: dict[str, Any], request: TokenRequest = FIRST, *, check_subject: bool = True) -> Any:
    return parse_token_response(document, request, ALICE, now=NOW, check_subject=check_subject)


def test_the_forms_of_both_legs():
    """Leg 1 asks for an ID-JAG, with every resource; leg 2 redeems it and names the scopes again, and nothing else."""
    assert build_form(FIRST, ALICE) == [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", ALICE.value),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:id-jag"),
        ("audience", CHAT),
        ("resource", "https://api.chat.example/"),
        ("resource", "https://api.chat.example/v2"),
        ("scope", "chat.read"),
    ]
    assert build_form(SECOND, ALICE) == [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", ALICE.value),
        ("scope", "chat.read chat.write"),
    ]


@pytest.mark.parametrize("token_type", ["N_A", "Bearer", "bearer"])
def test_an_id_jag_is_taken_and_is_no_access_token(token_type):
    """Okta says Bearer on one of its pages; what is kept is N_A all the same."""
    token = parse(answer(token_type=token_type))
    assert (token.token_type, token.expires_at) == ("N_A", NOW + 300)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        pytest.param(answer(make_first_token(typ="at+jwt")), "typ", id="legs swapped: an access token"),
        pytest.param(answer(make_first_token(typ="JWT")), "typ", id="typ"),
        pytest.param(answer(make_first_token(typ=None)), "typ", id="no typ"),
        pytest.param(answer("opaque"), "signed JWT", id="opaque"),
        pytest.param(answer(make_first_token(aud="https://evil.example")), "aud", id="aud"),
        pytest.param(
            answer(make_first_token(aud=[CHAT, "https://evil.example"])), "aud", id="one aud too many"
        ),
        pytest.param(answer(make_first_token(aud=None)), "aud", id="no aud"),
        pytest.param(answer(make_first_token(client_id="other")), "client_id", id="client_id"),
        pytest.param(answer(make_first_token(client_id=None)), "client_id", id="no client_id"),
        pytest.param(answer(make_first_token(sub="bob")), "subject_mismatch", id="sub"),
        pytest.param(answer(make_first_token(sub=None)), "subject_mismatch", id="no sub"),
        pytest.param(answer(make_first_token(exp=NOW - 1)), "exp", id="ended"),
        pytest.param(answer(make_first_token(exp=None)), "exp", id="no exp"),
        pytest.param(answer(make_first_token(exp=True)), "exp", id="exp is true"),
        pytest.param(answer(make_first_token(exp="soon")), "exp", id="exp is a text"),
        pytest.param(
            answer(issued_token_type="urn:ietf:params:oauth:token-type:access_token"), "issued", id="issued"
        ),
        pytest.param(answer(issued_token_type=None), "issued", id="no issued_token_type"),
        pytest.param(answer(token_type="DPoP"), "token_type", id="DPoP"),
        pytest.param(answer(token_type=None), "token_type", id="no token_type"),
        pytest.param(answer(scope="chat.write"), "scopes", id="other scopes"),
        pytest.param(answer(ALICE.value), "subject token itself", id="the subject token"),
    ],
)
def test_first_tokens_that_are_not_redeemed(document, why):
    """Nobody gets to see a first token that is not the one asked for."""
    with pytest.raises(ExchangeResponseInvalid, match=why):
        parse(document)


def test_one_audience_may_stand_in_a_list():
    """RFC 7519 §4.1.3."""
    assert parse(answer(make_first_token(aud=[CHAT])))


def test_a_sub_of_the_makers_own():
    """check_subject: false on the identity provider: it calls users otherwise."""
    assert parse(answer(make_first_token(sub="00u1")), check_subject=False)


def test_a_client_without_an_id():
    """Where an assertion vouches for us, nobody knows by which name."""
    leg = FirstLeg("id_jag", (CHAT,))
    header, claims = {"typ": "oauth-id-jag+jwt"}, {"aud": CHAT, "sub": "alice", "exp": NOW + 1}
    check_first_token(header, claims, leg, subject="alice", now=NOW)


@pytest.mark.parametrize("typ", ["JWT", None, "application/jwt"])
def test_a_chained_token_is_any_jwt_but_an_access_token(typ):
    """draft-ietf-oauth-identity-chaining names no typ, and asks for no client_id."""
    header = {} if typ is None else {"typ": typ}
    claims = {"aud": [CHAT, "https://other.example"], "sub": "alice", "exp": NOW + 1}
    check_first_token(header, claims, CHAIN, subject="alice", now=NOW)


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "application/okta-internal-at+jwt"])
def test_a_chained_token_is_no_access_token(typ):
    """What opens an API here is not carried to another server."""
    with pytest.raises(ExchangeResponseInvalid, match="access token"):
        check_first_token({"typ": typ}, {"aud": CHAT, "exp": NOW + 1}, CHAIN, subject=None, now=NOW)


@pytest.mark.parametrize("typ", ["oauth-id-jag+jwt", "application/oauth-id-jag+jwt", "OAuth-ID-JAG+JWT"])
@pytest.mark.parametrize("request_", [SECOND, TokenRequest("okta", "token_exchange", scopes=("chat.read",))])
def test_no_api_is_shown_an_id_jag(request_, typ):
    """Legs swapped: the redeeming server, or a single exchange, answers with an ID-JAG."""
    document = answer(make_first_token(typ=typ), issued_token_type=None, token_type="Bearer")
    with pytest.raises(ExchangeResponseInvalid, match="ID-JAG"):
        parse(document, request_)


def test_leg_two_is_held_to_its_scopes():
    """X-06: fewer than asked for would be served as if they were all."""
    document = {"access_token": "opaque", "token_type": "Bearer", "scope": "chat.read"}
    with pytest.raises(ExchangeResponseInvalid, match="fewer scopes"):
        parse(document, SECOND)


@pytest.mark.parametrize(
    ("scope", "claims", "passes"),
    [
        (None, {"scp": ["chat.read", "chat.write"]}, True),
        (None, {"scope": "chat.read chat.write"}, True),
        (None, {"scp": ["chat.read"]}, False),
        ("chat.read", {"scp": ["chat.read", "chat.write"]}, False),
        (None, {}, True),
    ],
)
def test_scopes_that_were_not_named(scope, claims, passes):
    """Redeemed by those of the first token alone, the access token must still have all that the route asks for."""
    token = make_first_token(typ="at+jwt", **({"scope": None} | claims))
    document = {"access_token": token, "token_type": "Bearer"} | ({} if scope is None else {"scope": scope})
    request = replace(SECOND, sends_scope=False)
    assert ("scope", "chat.read chat.write") not in build_form(request, ALICE)
    if passes:
        assert parse(document, request).scopes == ("chat.read", "chat.write")
        return
    with pytest.raises(ExchangeResponseInvalid, match="fewer scopes"):
        parse(document, request)
