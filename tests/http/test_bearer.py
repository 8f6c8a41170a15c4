"""RFC 6750: where the token stands, and what a challenge says."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import errors
from proxy.errors import AuthorizationMalformed, ProxyError, SubjectTokenError, SubjectTokenMissing
from proxy.http.bearer import (
    SUBPROTOCOL,
    Schemes,
    build_challenges,
    check_token,
    find_authorization,
    find_query_token,
    list_subprotocol_tokens,
    parse_subprotocol_token,
    split_query,
)
from tests.support.issuer import b64

TOKEN = b64(b"eyJ.eyJ.c2ln").encode()


def parse_authorization(values, scheme="bearer"):
    """Both steps, as a request that nobody knows yet takes them."""
    token = find_authorization(values, (scheme,) if scheme else ())
    check_token(token)
    return token


def parse_query_token(query, name):
    token = find_query_token(query, name)
    check_token(token)
    return token, split_query(query, {name.encode()})[1]


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (b"Bearer abc.def", "abc.def"),
        (b"bearer T", "T"),
        (b"BEARER a-._~+/b==", "a-._~+/b=="),
        (b" Bearer T\t", "T"),
    ],
)
def test_accepted(value, token):
    """A-01: the scheme's case does not matter, and the token is what follows one space."""
    assert parse_authorization([value]) == token


@pytest.mark.parametrize(
    ("values", "error"),
    [
        pytest.param([], SubjectTokenMissing, id="nothing"),
        pytest.param([b""], SubjectTokenMissing, id="empty"),
        pytest.param([b"Basic x"], SubjectTokenMissing, id="another scheme"),
        pytest.param([b"Bearerx y"], SubjectTokenMissing, id="a longer scheme"),
        pytest.param([b"DPoP x"], SubjectTokenMissing, id="dpop"),
        pytest.param([b"Bearer"], AuthorizationMalformed, id="no token"),
        pytest.param([b"Bearer  "], AuthorizationMalformed, id="spaces alone"),
        pytest.param([b"Bearer  x"], AuthorizationMalformed, id="two spaces"),
        pytest.param([b"Bearer a b"], AuthorizationMalformed, id="two words"),
        pytest.param([b"Bearer a,b"], AuthorizationMalformed, id="comma"),
        pytest.param([b"Bearer \xc3\xa9"], AuthorizationMalformed, id="not ascii"),
        pytest.param([b"Bearer a=b"], AuthorizationMalformed, id="padding inside"),
        pytest.param([b"Bearer a\n"], AuthorizationMalformed, id="line feed"),
        pytest.param([b"Bearer a\x00"], AuthorizationMalformed, id="nul"),
        pytest.param([b"Bearer a", b"Bearer b"], AuthorizationMalformed, id="two"),
        pytest.param([b"Bearer a", b"Bearer a"], AuthorizationMalformed, id="twice the same"),
        pytest.param([b"Bearer a", b"Basic b"], AuthorizationMalformed, id="two schemes"),
    ],
)
def test_refused(values, error):
    """A-01, A-02: another scheme is a missing token; a second field or a malformed token is a malformed request."""
    with pytest.raises(error):
        parse_authorization(values)


def test_scheme_of_the_route():
    """A route may name another scheme, or none, where the field holds the token alone."""
    assert parse_authorization([b"Token abc"], "token") == "abc"
    assert parse_authorization([b"abc"], "") == "abc"
    with pytest.raises(AuthorizationMalformed):
        parse_authorization([b"Bearer abc"], "")


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        (b"access_token=T", b""),
        (b"a=1&access_token=T&b=%41", b"a=1&b=%41"),
        (b"&a;b&access%5Ftoken=%54&&c", b"&a;b&&c"),
    ],
)
def test_query_token(query, rest):
    """The parameter is found under any spelling of its name; all else stays byte for byte."""
    assert parse_query_token(query, "access_token") == ("T", rest)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (b"", SubjectTokenMissing),
        (b"token=T", SubjectTokenMissing),
        (b"access_token=T&access_token=T", AuthorizationMalformed),
        (b"access_token=T&access%5ftoken=T", AuthorizationMalformed),
        (b"access_token=", AuthorizationMalformed),
        (b"access_token", AuthorizationMalformed),
        (b"access_token=a+b", AuthorizationMalformed),
        (b"access_token=%00", AuthorizationMalformed),
    ],
)
def test_query_token_refused(query, error):
    """Twice, under any spelling, or not one token: refused."""
    with pytest.raises(error):
        parse_query_token(query, "access_token")


def _offer(token: bytes) -> bytes:
    return SUBPROTOCOL.encode() + b64(token).encode()


@pytest.mark.parametrize(
    ("values", "token", "others"),
    [
        ([], None, []),
        ([b"chat, superchat"], None, ["chat", "superchat"]),
        ([_offer(b"T") + b", chat"], "T", ["chat"]),
        ([b"chat", _offer(b"a.b.c")], "a.b.c", ["chat"]),
    ],
)
def test_subprotocol_token(values, token, others):
    """H-61: the token is taken off; the other subprotocols remain."""
    assert parse_subprotocol_token(values) == (token, others)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([_offer(b"T")], id="no other subprotocol"),
        pytest.param([_offer(b"T") + b",chat", _offer(b"T")], id="twice"),
        pytest.param([_offer(b"T") + b"=,chat"], id="padding"),
        pytest.param([SUBPROTOCOL.encode() + b",chat"], id="empty"),
        pytest.param([SUBPROTOCOL.encode() + b"\xe9,chat"], id="not ascii"),
        pytest.param([_offer(b"a b") + b",chat"], id="not a token"),
    ],
)
def test_subprotocol_token_refused(values):
    """H-61: duplicates, padding and a token alone are refused."""
    with pytest.raises(AuthorizationMalformed):
        parse_subprotocol_token(values)


@pytest.mark.parametrize(
    ("query", "values", "rest"),
    [
        (b"a=1&token=T&key=K", [b"T", b"K"], b"a=1"),
        (b"k%65y=K&%74oken=T%2BT&a=%31", [b"K", b"T+T"], b"a=%31"),
        (b"token=1&token=2&token", [b"1", b"2", b""], b""),
        (b"&&token=T&", [b"T"], b"&&"),
        (b"Token=T&tokens=T&a=token", [], b"Token=T&tokens=T&a=token"),
    ],
)
def test_a_query_is_split(query, values, rest):
    """H-29: the parameters of some names in any spelling, as often as they stand there; all else byte for byte."""
    assert split_query(query, {b"token", b"key"}) == (values, rest)


@pytest.mark.parametrize(
    ("values", "tokens"),
    [
        ([], []),
        ([b"chat"], []),
        ([_offer(b"one"), b"chat, " + _offer(b"two")], [b"one", b"two"]),
        ([_offer(b"one") + b"=", SUBPROTOCOL.encode() + b"\xe9"], []),
    ],
)
def test_all_that_can_be_read_among_the_subprotocols(values, tokens):
    """H-61: also where a handshake would be refused."""
    assert list_subprotocol_tokens(values) == tokens


@given(
    st.lists(st.binary(max_size=40) | st.binary(max_size=20).map(lambda tail: b"Bearer " + tail), max_size=3)
)
def test_any_bytes(values):
    """A-22: whatever comes, there is a token or a refusal from the table."""
    for parse in (parse_authorization, parse_subprotocol_token):
        try:
            parse(values)
        except SubjectTokenError:
            continue


@given(st.binary(max_size=60) | st.binary(max_size=20).map(lambda tail: b"t=" + tail))
def test_any_query(query):
    """A-22: so for any query."""
    try:
        token, rest = parse_query_token(query, "t")
    except SubjectTokenError:
        return
    assert token
    assert len(rest) < len(query)


@pytest.mark.parametrize(
    ("error", "challenge"),
    [
        pytest.param(errors.SubjectTokenMissing(), 'Bearer realm="obo-proxy"', id="missing"),
        pytest.param(
            errors.SubjectTokenInvalid("secret reason"),
            'Bearer realm="obo-proxy", error="invalid_token", error_description="The token is not valid here."',
            id="invalid",
        ),
        pytest.param(
            errors.AuthorizationMalformed(),
            'Bearer realm="obo-proxy", error="invalid_request", '
            'error_description="Exactly one well-formed bearer token is needed."',
            id="malformed",
        ),
        pytest.param(
            errors.ScopeInsufficient(scopes=("orders:read", "b")),
            'Bearer realm="obo-proxy", error="insufficient_scope", '
            'error_description="The token lacks a scope that is required here.", scope="orders:read b"',
            id="scope",
        ),
        pytest.param(
            errors.StepUpRequired(acr_values=("urn:okta:loa:2fa:any", 'x"y\\z\n'), max_age=300),
            'Bearer realm="obo-proxy", error="insufficient_user_authentication", '
            'error_description="A stronger or fresher authentication is needed.", '
            'acr_values="urn:okta:loa:2fa:any xyz", max_age="300"',
            id="step-up",
        ),
        pytest.param(
            errors.StepUpRequired(claims='{"access_token":{}}', acr_values=("phr",)),
            'Bearer realm="obo-proxy", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="',
            id="claims",
        ),
        pytest.param(
            errors.InteractionRequired(interaction_uri="https://as.example/"),
            'Bearer realm="obo-proxy", error="interaction_required", '
            'error_description="The user must agree to this access first, at the authorization server."',
            id="consent",
        ),
        pytest.param(errors.NoRoute(), None, id="no challenge"),
    ],
)
def test_challenge(error, challenge):
    """A-04, A-25: one golden challenge for each kind of refusal."""
    assert build_challenges(error) == ([] if challenge is None else [challenge])


def test_challenge_names_the_metadata():
    """A-05: the challenge links to the protected resource metadata, even without an error."""
    url = "https://api.example.com/.well-known/oauth-protected-resource"
    [challenge] = build_challenges(errors.SubjectTokenMissing(), resource_metadata=url)
    assert challenge == f'Bearer realm="obo-proxy", resource_metadata="{url}"'


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.SubjectTokenMissing(), True),
        (errors.SubjectTokenInvalid(), True),
        (errors.SubjectTokenExpired(), True),
        (errors.IssuerUnknown(), True),
        (errors.SubjectTokenRefused(), True),
        (errors.AuthorizationMalformed(), False),
        (errors.StepUpRequired(), False),
        (errors.ExchangeDenied(), False),
    ],
)
def test_a_challenge_names_the_scopes_of_a_new_token(error, told):
    """MCP 2026-07-28: whoever has no good token learns what to ask for."""
    challenge = "".join(build_challenges(error, scopes=("orders:read", "b")))
    assert challenge.endswith(', scope="orders:read b"') is told


def _all_errors(kind: type[ProxyError]) -> list[type[ProxyError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in _all_errors(child))]


@pytest.mark.parametrize("kind", _all_errors(ProxyError))
def test_challenge_is_well_formed(kind):
    """A-04: every challenge is a list of quoted values without quotes or controls in them."""
    one = r'[a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*"'
    for challenge in build_challenges(kind(), schemes=Schemes(dpop=("ES256",)), realm='a"b\r\nX: y'):
        assert re.fullmatch(rf"(Bearer|DPoP) {one}(, {one})*", challenge)


BEARER, DPOP = 'Bearer realm="obo-proxy"', 'DPoP realm="obo-proxy"'
ALGS = 'algs="ES256 RS256"'


@pytest.mark.parametrize(
    ("error", "bearer", "challenges"),
    [
        (errors.SubjectTokenMissing(), True, [BEARER, f"{DPOP}, {ALGS}"]),
        (errors.SubjectTokenMissing(), False, [f"{DPOP}, {ALGS}"]),
        (
            errors.ProofInvalid(),
            True,
            [f'{DPOP}, error="invalid_dpop_proof", error_description="{errors.ProofInvalid.detail}", {ALGS}'],
        ),
        (errors.NoRoute(), True, []),
    ],
    ids=["both", "proofs alone", "a fault of the proof", "no challenge"],
)
def test_challenges_by_scheme(error, bearer, challenges):
    """RFC 9449 §7.1: callers are told of each scheme that they may use, and of a proof's fault by its own."""
    schemes = Schemes(bearer=bearer, dpop=("ES256", "RS256"))
    assert build_challenges(error, schemes=schemes) == challenges
