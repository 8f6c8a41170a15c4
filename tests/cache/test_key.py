"""The cache key: one for each thing that could change the answer."""

import unicodedata
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.authentication.subject_token import SubjectToken
from proxy.cache.key import NOBODY, build_cache_key, build_identity, build_owner, build_request_digest
from proxy.exchange.first_leg import FirstLeg
from proxy.exchange.token_exchange import TokenRequest

CLAIMS: dict[str, Any] = {
    "iss": "https://example.okta.com/oauth2/default",
    "sub": "alice@example.com",
    "uid": "00u1",
    "aud": ["api://default"],
    "cid": "0oa1",
    "scp": ["openid", "orders"],
    "acr": "urn:okta:loa:1fa:any",
    "amr": ["pwd"],
    "auth_time": 1_700_000_000,
    "act": {"sub": "service", "act": {"sub": "inner"}},
    "groups": ["staff"],
    "exp": 1_700_003_600,
    "iat": 1_700_000_000,
    "nbf": 1_700_000_000,
    "jti": "AT.1",
    "ver": 1,
}
REQUEST = TokenRequest(
    "okta", "token_exchange", audience=("api://orders",), scopes=("orders:read", "orders:write")
)
CLIENT = ("https://example.okta.com/oauth2/default/v1/token", "0oa9", "client_secret_basic", "")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def identity(claims, by="subject", ignore=(), value="h.p.s"):
    return build_identity(value, claims, by=by, ignore=frozenset(ignore))


def make_subject_token(claims=CLAIMS, value="h.p.s", server="okta"):
    return SubjectToken(
        value=value,
        authorization_server=server,
        issuer=claims["iss"],
        subject=claims["sub"],
        kept_claims=claims,
        identity=identity(claims, value=value),
        expires_at=float(claims["exp"]),
    )


def exactly(value: Any) -> Any:
    """``value`` in a form whose equality knows types: 1 is not True and not 1.0, 0.0 is not -0.0."""
    match value:
        case dict():
            return "object", frozenset((name, exactly(member)) for name, member in value.items())
        case list():
            return "array", tuple(map(exactly, value))
        case _:
            return type(value).__name__, repr(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", "https://evil.example.com"),
        ("sub", "bob@example.com"),
        ("uid", "00u2"),
        ("aud", ["api://other"]),
        ("aud", "api://default"),
        ("aud", ["api://default", "api://other"]),
        ("cid", "0oa2"),
        ("azp", "0oa1"),
        ("client_id", "0oa1"),
        ("scp", ["openid"]),
        ("scp", ["orders", "openid"]),
        ("scp", "openid orders"),
        ("acr", "urn:okta:loa:2fa:any"),
        ("amr", ["pwd", "mfa"]),
        ("auth_time", 1_700_000_001),
        ("act", {"sub": "other", "act": {"sub": "inner"}}),
        ("act", {"sub": "service", "act": {"sub": "other"}}),
        ("act", {"sub": "service"}),
        ("org", "00o1"),
        ("tid", "t"),
        ("cnf", {"jkt": "x"}),
        ("groups", ["staff", "admin"]),
        ("may_act", {"sub": "x"}),
        ("ver", "1"),
        ("ver", 1.0),
        ("ver", True),
        ("ver", None),
        ("a claim nobody thought of", 1),
    ],
    ids=str,
)
def test_any_claim_changes_the_identity(name, value):
    """C-02: every claim but the passing ones is part of the key."""
    assert identity(CLAIMS | {name: value}) != identity(CLAIMS)


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_left_out_is_not_a_claim_that_is_null(name):
    """C-02, C-03: without a claim is another identity than with it, unless the claim is a passing one."""
    without = {other: value for other, value in CLAIMS.items() if other != name}
    passing = name in {"exp", "iat", "nbf", "jti"}
    assert (identity(without) == identity(CLAIMS)) is passing
    assert (identity(CLAIMS | {name: None}) == identity(CLAIMS)) is passing


@pytest.mark.parametrize("name", ["exp", "iat", "nbf", "jti"])
def test_a_refreshed_token_of_one_session_hits(name):
    """C-02: the passing claims alone do not change the key."""
    assert identity(CLAIMS | {name: "anything"}) == identity(CLAIMS)


def test_a_passing_claim_inside_another_claim_counts():
    """C-02: only the token's own exp, iat, nbf and jti are passing, not an actor's."""
    assert identity(CLAIMS | {"act": {"exp": 1}}) != identity(CLAIMS | {"act": {"exp": 2}})


def test_configured_claims_are_left_out():
    """A claim the configuration ignores does not change the key; others still do."""
    assert identity(CLAIMS | {"uti": "1"}, ignore={"uti"}) == identity(CLAIMS, ignore={"uti"})
    assert identity(CLAIMS | {"aio": "1"}, ignore={"uti"}) != identity(CLAIMS, ignore={"uti"})


def test_by_token_only_the_token_counts():
    """C-02: ``key: token`` is the hash of the whole token."""
    assert identity(CLAIMS, by="token") == identity({}, by="token")
    assert identity(CLAIMS, by="token") != identity(CLAIMS, by="token", value="h.p.t")
    assert identity({}, by="token", value="") != identity({}, value="")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": "ab", "b": "c"}, {"a": "a", "b": "bc"}),
        ({"ab": "c"}, {"a": "bc"}),
        ({"a": ["ab", "c"]}, {"a": ["a", "bc"]}),
        ({"a": ["x"]}, {"a": "x"}),
        ({"a": []}, {"a": {}}),
        ({"a": [[]]}, {"a": [[], []]}),
        ({"a": [["x"], "y"]}, {"a": [["x", "y"]]}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"a": True}),
        ({"a": 0}, {"a": False}),
        ({"a": 0}, {"a": None}),
        ({"a": 0.0}, {"a": -0.0}),
        ({"a": ""}, {"a": None}),
        ({"a": None}, {}),
        ({"a": "null"}, {"a": None}),
        ({"a": 255}, {"a": -1}),
        ({"a": 128}, {"a": -128}),
        ({"a": 10**400}, {"a": 10**400 + 1}),
        ({"a": unicodedata.normalize("NFC", "é")}, {"a": unicodedata.normalize("NFD", "é")}),
        ({"a": "x\0"}, {"a": "x"}),
        ({"a": "\ud800"}, {"a": "\ud801"}),
        ({"a": "\ud800"}, {"a": "?"}),
        ({"a": "\ud83d\ude00"}, {"a": "\U0001f600"}),
        ({"a": 'b","c":"d'}, {"a": "b", "c": "d"}),
        ({"a": "\\"}, {"a": "\\\\"}),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}),
    ],
    ids=ascii,
)
def test_different_claims_never_look_alike(one, other):
    """C-03: types, lengths, order and Unicode forms are told apart."""
    assert identity(one) != identity(other)


def test_members_have_no_order():
    """C-03: the order of an object's members means nothing, at any depth."""
    assert identity({"a": 1, "b": {"c": 1, "d": 2}}) == identity({"b": {"d": 2, "c": 1}, "a": 1})


def test_what_json_cannot_hold_is_refused():
    """A value that cannot have come from JSON is a fault, not a guess."""
    with pytest.raises(TypeError, match="bytes"):
        identity({"a": b"x"})


@given(
    st.dictionaries(st.text(), json_values, max_size=5), st.dictionaries(st.text(), json_values, max_size=5)
)
def test_identities_are_equal_only_for_equal_claims(one, other):
    """C-03: no two different sets of claims share an identity."""
    passing = {"exp", "iat", "nbf", "jti"}
    kept = [{name: claims[name] for name in claims if name not in passing} for claims in (one, other)]
    assert (identity(one) == identity(other)) is (exactly(kept[0]) == exactly(kept[1]))


@given(st.dictionaries(st.text(), json_values, max_size=6), st.randoms())
def test_identity_ignores_the_order_of_claims(claims, random):
    """C-03: claims in any order give one identity."""
    shuffled = list(claims.items())
    random.shuffle(shuffled)
    assert identity(dict(shuffled)) == identity(claims)


CHANGES = {
    "authorization_server": "other",
    "grant": "jwt_bearer",
    "audience": ("api://other",),
    "resource": ("https://orders.example.com",),
    "scopes": ("orders:read",),
    "subject_token_type": "jwt",
    "requested_token_type": "jwt",
    "actor": True,
    "extra_parameters": (("a", "b"),),
    "actor_type": "urn:ietf:params:oauth:token-type:jwt",
    "actor_file": "/run/actor",
    "allowed_actors": ("agent",),
    "max_actors": 1,
    "authorization_details": '[{"type":"payment"}]',
    "leg": 1,
    "sends_scope": False,
    "first_leg": FirstLeg("id_jag", ("https://auth.example",)),
}


@pytest.mark.parametrize("name", [field.name for field in fields(TokenRequest)])
def test_everything_asked_for_is_in_the_key(name):
    """C-02: no parameter of the exchange can differ between two callers of one entry."""
    changed = replace(REQUEST, **{name: CHANGES[name]})
    assert build_request_digest(changed, CLIENT) != build_request_digest(REQUEST, CLIENT)


@pytest.mark.parametrize("part", range(4), ids=["token_url", "client_id", "client_auth", "jkt"])
def test_who_we_are_is_in_the_key(part):
    """C-02, D-04: another token URL, client, authentication or DPoP key is another entry."""
    other = [*CLIENT]
    other[part] = "another"
    assert build_request_digest(REQUEST, other) != build_request_digest(REQUEST, CLIENT)


def test_scopes_are_a_set():
    """C-02: the order in which a route names its scopes, and repeats, mean nothing (RFC 6749 §3.3)."""
    shuffled = replace(REQUEST, scopes=("orders:write", "orders:read", "orders:write"))
    assert build_request_digest(shuffled, CLIENT) == build_request_digest(REQUEST, CLIENT)


def test_scopes_cannot_flow_into_each_other():
    """C-03: one scope that looks like two is not two."""
    joined = replace(REQUEST, scopes=("orders:read orders:write",))
    assert build_request_digest(joined, CLIENT) != build_request_digest(REQUEST, CLIENT)


DIGEST = build_request_digest(REQUEST, CLIENT)


def test_two_issuers_with_one_subject_have_two_keys():
    """C-04: the subject alone is nobody."""
    other = CLAIMS | {"iss": "https://other.example.com"}
    one, two = (build_cache_key(DIGEST, make_subject_token(claims)) for claims in (CLAIMS, other))
    assert one.digest != two.digest
    assert one.owner != two.owner


def test_a_key_knows_the_issuer_where_the_claims_do_not():
    """C-04: an introspected token may lack ``iss``; where it was verified and for whom count all the same."""
    token = make_subject_token()
    changed = [
        replace(token, authorization_server="other"),
        replace(token, issuer="https://other.example.com"),
        replace(token, subject="bob"),
        replace(token, identity=bytes(32)),
    ]
    assert len({build_cache_key(DIGEST, each).digest for each in [token, *changed]}) == 5


def test_a_key_without_a_user_is_nobodys():
    """A token that is ours alone belongs to no user and can be nobody's."""
    key = build_cache_key(DIGEST, None)
    assert key.owner == NOBODY
    assert key.digest != build_cache_key(DIGEST, make_subject_token()).digest
    assert build_owner("", "") != NOBODY


def test_the_owner_is_one_over_all_routes():
    """C-25: what is purged is a user, whatever was asked for."""
    other = build_request_digest(replace(REQUEST, audience=("api://other",)), CLIENT)
    one, two = (build_cache_key(digest, make_subject_token()) for digest in (DIGEST, other))
    assert one.owner == two.owner == build_owner(CLAIMS["iss"], CLAIMS["sub"])
    assert one.digest != two.digest


@given(st.text(), st.text(), st.text(), st.text())
def test_owners_are_equal_only_for_equal_users(issuer, subject, issuer2, subject2):
    """C-03: issuer and subject cannot flow into each other."""
    same = (issuer, subject) == (issuer2, subject2)
    assert (build_owner(issuer, subject) == build_owner(issuer2, subject2)) is same


def test_a_refusal_is_for_one_token():
    """C-18: another token of the same user, or another route, is another refusal."""
    token = make_subject_token()
    keys = {
        build_cache_key(DIGEST, token).asker,
        build_cache_key(DIGEST, replace(token, value="another")).asker,
        build_cache_key(bytes(32), token).asker,
        build_cache_key(DIGEST, None).asker,
    }
    assert len(keys) == 4
