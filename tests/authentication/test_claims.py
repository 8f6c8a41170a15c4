"""RFC 7519 §4.1, RFC 9068 §4: what a token must say."""

import json
from dataclasses import replace

import pytest

from proxy.authentication.claims import (
    MAX_SHARED,
    SharedValues,
    SubjectTokenPolicy,
    parse_claims,
    read_scopes,
    verify_claims,
)
from proxy.errors import ScopeInsufficient, SubjectTokenExpired, SubjectTokenInvalid
from tests.support.issuer import AUDIENCE, ISSUER, NOW, Issuer

POLICY = SubjectTokenPolicy(ISSUER, AUDIENCE)
CLAIMS = Issuer().claims()


def verify(changes, policy=POLICY):
    claims = json.loads(json.dumps(CLAIMS | changes))
    verify_claims(
        parse_claims({name: value for name, value in claims.items() if value is not None}), policy, NOW
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["other", AUDIENCE]},
        {"exp": NOW - 29.9},
        {"nbf": NOW + 30, "iat": NOW + 29.5},
        {"scp": "a b"},
        {"sub": "é" * 255},
        {"nonce": "n"},
    ],
)
def test_accepted(changes):
    """A-11, A-12: the audience among others, and times within the tolerance, are accepted."""
    verify(changes)


INVALID = {
    "iss": ["", 1, ["https://a"], ISSUER + "/", ISSUER.upper(), "https://a", None],
    "aud": [
        "",
        [],
        {},
        {AUDIENCE: 1},
        [[AUDIENCE]],
        [1, AUDIENCE],
        AUDIENCE + "x",
        "x" + AUDIENCE,
        True,
        None,
    ],
    "exp": ["1795216074", True, [], -1, 0, 2**53, int("9" * 4000), None],
    "nbf": ["1", False, NOW + 30.5, 0, 10**18],
    "iat": ["1", False, NOW + 3600, 0],
    "sub": ["", 1, ["alice"], "a\x00", "a\n", "\x7f", "x" * 256, "x" * 1_000_000, None],
    "scp": [1, [1], {"a": 1}],
    "scope": [False, {}],
    "jti": [1, []],
    "cid": [1, ""],
    "azp": [[]],
    "client_id": [{}],
    "acr": [1],
    "auth_time": ["1", True],
    "cnf": [{"jkt": "x"}, {"jkt": "x" * 43}, {"x5t#S256": "x" * 43}, {}, 1],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name}={value!r:.30}")
        for name, values in INVALID.items()
        for value in values
    ],
)
def test_invalid(name, value):
    """A-10, A-11, A-12, A-13, A-20: claims of another type, value or issuer are refused."""
    with pytest.raises(SubjectTokenInvalid):
        verify({name: value})


@pytest.mark.parametrize("exp", [NOW - 30, NOW - 30.5, 1])
def test_expired(exp):
    """A-12: a token ends with its exp and the tolerance, to the second."""
    with pytest.raises(SubjectTokenExpired):
        verify({"exp": exp})


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"cid": None, "azp": "0oaclient"}, True),
        ({"cid": None, "client_id": "0oaclient"}, True),
        ({"cid": "other"}, False),
        ({"cid": None}, False),
        ({"azp": "other"}, False),
    ],
)
def test_clients(changes, accepted):
    """Where clients are named, every claim that names the token's client must name one of them."""
    policy = replace(POLICY, client_ids=frozenset({"0oaclient"}))
    if accepted:
        verify(changes, policy)
    else:
        with pytest.raises(SubjectTokenInvalid):
            verify(changes, policy)


@pytest.mark.parametrize(
    "changes",
    [
        {"jti": "ID.abc", "scp": None, "cid": None, "nonce": "n", "at_hash": "h"},
        {"jti": "ID.abc"},
        {"at_hash": "h"},
        {"c_hash": "h"},
        {"nonce": "n", "scp": None},
        {"typ": "ID"},
    ],
)
def test_id_tokens(changes):
    """A-16: an ID token is no access token, unless it is what the route wants."""
    with pytest.raises(SubjectTokenInvalid, match="ID token"):
        verify(changes)
    verify(changes, replace(POLICY, id_tokens=True))


def test_required_scopes():
    """A-26: an entry's own scopes are demanded, and named."""
    with pytest.raises(ScopeInsufficient) as caught:
        verify({}, replace(POLICY, required_scopes=("orders:write",)))
    assert caught.value.scopes == ("orders:write",)
    assert read_scopes({}) == frozenset()


def test_values_that_tokens_have_alike_are_kept_once():
    """C-17: nothing is changed by it."""
    values = SharedValues()
    first, second = (values.share(read_scopes({"scp": ["a:b", "c"]})) for _ in range(2))
    assert first is second
    assert first == {"a:b", "c"}
    assert values.share(None) is None


def test_the_values_kept_are_bounded():
    """C-17: whoever makes up claims fills no memory."""
    values = SharedValues()
    for number in range(MAX_SHARED + 10):
        values.share(f"acr {number}")
    assert values.share("acr 1") == "acr 1"
    late = [values.share(f"acr {MAX_SHARED + 5}") for _ in range(2)]
    assert late[0] == late[1]
    assert late[0] is not late[1]
