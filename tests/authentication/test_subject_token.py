"""RFC 7519, 9068, 8725: a JWT is a subject token, or is refused."""

import hashlib
import hmac
import json
import sys

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.authentication.claims import SubjectTokenPolicy
from proxy.authentication.subject_token import (
    SubjectToken,
    is_org_issuer,
    parse_subject_token,
    refuse_org_token,
    require_authentication,
    require_scopes,
    verify_subject_token,
)
from proxy.errors import ScopeInsufficient, StepUpRequired, SubjectTokenError, SubjectTokenInvalid
from proxy.jose.encoding import MAX_SMALL
from proxy.jose.jwk import parse_jwk
from proxy.jose.jws import MAX_SIZE
from tests.support.issuer import AUDIENCE, ISSUER, NOW, Issuer, b64, make_jwk, make_key, make_rsa_key

OKTA = Issuer()
POLICY = SubjectTokenPolicy(ISSUER, AUDIENCE)
EVERY_ALG = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


def verify(token, *, issuer=OKTA, policy=POLICY):
    return verify_subject_token(parse_subject_token(token), parse_jwk(issuer.jwk), policy, NOW)


def test_accepted():
    """A token as Okta makes it gives its claims."""
    assert verify(OKTA.mint()) == OKTA.claims()


@pytest.mark.parametrize("alg", EVERY_ALG)
def test_algorithms(alg):
    """A-06: every asymmetric algorithm of RFC 7518 works where it is allowed, and not where it is not."""
    issuer = Issuer(alg=alg)
    policy = SubjectTokenPolicy(ISSUER, AUDIENCE, algorithms=frozenset(EVERY_ALG))
    assert verify(issuer.mint(), issuer=issuer, policy=policy)["sub"] == "alice@example.com"
    with pytest.raises(SubjectTokenInvalid):
        verify(
            issuer.mint(), issuer=issuer, policy=SubjectTokenPolicy(ISSUER, AUDIENCE, algorithms=frozenset())
        )


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"])
def test_types_accepted(typ):
    """A-15: access tokens name one of these types, or none."""
    assert verify(OKTA.mint({"typ": typ}))


def _hmac_token(key: bytes) -> str:
    signing_input = f"{b64({'alg': 'HS256', 'kid': 'key-1'})}.{b64(OKTA.claims())}"
    return f"{signing_input}.{b64(hmac.digest(key, signing_input.encode(), hashlib.sha256))}"


def _pem() -> bytes:
    return OKTA.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _modulus() -> bytes:
    return OKTA.key.public_key().public_numbers().n.to_bytes(256)


def _unsigned(alg: object) -> str:
    return f"{b64({'alg': alg, 'kid': 'key-1'})}.{b64(OKTA.claims())}."


GOOD = OKTA.mint()
HEADER, PAYLOAD, SIGNATURE = GOOD.split(".")
MALLORY = Issuer(key=make_rsa_key("mallory"))
HEADER_JSON = b'{"alg":"RS256","kid":"key-1"}'
CLAIMS_JSON = json.dumps(OKTA.claims()).encode()
SPARE_BITS = SIGNATURE[:-1] + chr(ord(SIGNATURE[-1]) + 1)

FORGERIES = {
    "another key": MALLORY.mint(),
    "another key, embedded": MALLORY.mint({"jwk": MALLORY.jwk}),
    "another key, by URL": MALLORY.mint({"jku": "http://127.0.0.1:9/", "x5u": "http://127.0.0.1:9/"}),
    "another key, by certificate": MALLORY.mint({"x5c": ["MIIB"]}),
    "altered claims": f"{HEADER}.{b64(OKTA.claims(sub='mallory'))}.{SIGNATURE}",
    "altered header": f"{b64({'alg': 'RS256', 'kid': 'key-1', 'a': 1})}.{PAYLOAD}.{SIGNATURE}",
    "no signature": f"{HEADER}.{PAYLOAD}.",
    "alg none": _unsigned("none"),
    "alg nOnE": _unsigned("nOnE"),
    "alg list": _unsigned(["RS256"]),
    "alg number": _unsigned(1),
    "alg missing": OKTA.sign_raw(b'{"kid":"key-1"}', CLAIMS_JSON),
    "hmac with the PEM": _hmac_token(_pem()),
    "hmac with n": _hmac_token(_modulus()),
    "alg of another family": Issuer(alg="ES256").mint(),
    "alg that the key is not for": Issuer(alg="PS256", key=OKTA.key).mint(),
    "crit": OKTA.mint({"crit": ["exp"], "exp": 1}),
    "crit, empty": OKTA.mint({"crit": []}),
    "b64 false": OKTA.mint({"b64": False}),
    "b64 true": OKTA.mint({"b64": True}),
    "zip": OKTA.mint({"zip": "DEF"}),
    "enc": OKTA.mint({"enc": "A256GCM"}),
    "five parts": "a.b.c.d.e",
    "four parts": GOOD + ".",
    "two parts": f"{HEADER}.{PAYLOAD}",
    "one part": "opaque",
    "empty": "",
    "dots": "..",
    "kid a number": OKTA.mint({"kid": 1}),
    "kid a list": OKTA.mint({"kid": ["key-1"]}),
    "kid empty": OKTA.mint({"kid": ""}),
    "kid of 10 kB": OKTA.mint({"kid": "k" * 10_000}),
    "padded": GOOD + "==",
    "junk after": GOOD + "!!!!",
    "spare bits": f"{HEADER}.{PAYLOAD}.{SPARE_BITS}",
    "newline": GOOD + "\n",
    "other alphabet": GOOD.replace("-", "+").replace("_", "/") + "+",
    "not ascii": GOOD + "é",
    "surrogate": GOOD + "\ud800",
    "too long": GOOD + "A" * MAX_SIZE,
    "header not JSON": OKTA.sign_raw(b"{", CLAIMS_JSON),
    "header a list": OKTA.sign_raw(b"[]", CLAIMS_JSON),
    "header with duplicates": OKTA.sign_raw(b'{"alg":"none","alg":"RS256"}', CLAIMS_JSON),
    "deep header": OKTA.sign_raw(b'{"alg":"RS256","a":' + b"[" * 9000, CLAIMS_JSON),
    "payload not JSON": OKTA.sign(b"foo"),
    "payload a list": OKTA.sign(b"[1]"),
    "payload in utf-16": OKTA.sign(CLAIMS_JSON.decode().encode("utf-16")),
    "payload with byte order mark": OKTA.sign(b"\xef\xbb\xbf" + CLAIMS_JSON),
    "duplicate claims": OKTA.sign(CLAIMS_JSON[:-1] + b',"sub":"mallory"}'),
    "deep payload": OKTA.sign(b'{"a":' + b"[" * 9000),
    **{
        f"typ {typ}": OKTA.mint({"typ": typ})
        for typ in ("dpop+jwt", "logout+jwt", "secevent+jwt", "oauth-id-jag+jwt", "", 1, "JWT ")
    },
    "typ null": OKTA.sign_raw(HEADER_JSON[:-1] + b',"typ":null}', CLAIMS_JSON),
}


@pytest.mark.parametrize("token", FORGERIES.values(), ids=FORGERIES.keys())
def test_forgeries(token):
    """A-06, A-07, A-08, A-09, A-14, A-15, A-21, A-23, C-01: nothing but the issuer's own spelling is accepted."""
    with pytest.raises(SubjectTokenInvalid) as caught:
        verify(token)
    assert "alice" not in str(caught.value)


def test_refused_header_keys_do_not_hurt():
    """A-07: header keys are ignored, not refused: only the configured key counts."""
    assert verify(OKTA.mint({"jwk": MALLORY.jwk, "jku": "http://127.0.0.1:9/"}))


@settings(max_examples=300)
@given(
    st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{0,40}(\.[A-Za-z0-9_-]{0,40}){2}", fullmatch=True)
)
def test_any_text(text):
    """A-22: any text is refused from the table."""
    with pytest.raises(SubjectTokenError):
        verify(text)


def _mutate(text):
    """``text`` with any one character taken away, doubled, or replaced by each of some others."""
    for position, character in enumerate(text):
        head, tail = text[:position], text[position + 1 :]
        yield head + tail
        yield head + character * 2 + tail
        yield from (head + other + tail for other in "Aaz09-_.=+ \xe9" if other != character)


def test_every_mutation():
    """A-22, A-23: of ten thousand tokens that differ from a valid one in one character, none is accepted."""
    mutations = {mutation for mutation in _mutate(GOOD) if mutation != GOOD}
    assert len(mutations) > 10_000
    for mutation in mutations:
        with pytest.raises(SubjectTokenError):
            verify(mutation)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("A" * 10_000_000, id="10 MB"),
        pytest.param(OKTA.sign(b'{"a":' + b"[" * 11_000), id="deep payload"),
        pytest.param(OKTA.sign_raw(b'{"a":' * 2_200, b""), id="deep header"),
        pytest.param("." * MAX_SIZE, id="dots"),
    ],
)
def test_size_and_nesting_are_refused(token):
    """A-14, A-21: neither size nor nesting buys an attacker work."""
    with pytest.raises(SubjectTokenError):
        verify(token)


def _fill(unit: bytes, size: int) -> bytes:
    """As many of ``unit`` in a list as there is room for."""
    return b"[" + (unit * (size // len(unit))).rstrip(b",") + b"]"


@pytest.mark.parametrize("size", [MAX_SMALL - len(CLAIMS_JSON) - 8, 11_200])
@pytest.mark.parametrize("part", ["header", "payload"])
@pytest.mark.parametrize(
    "values",
    [
        b"[],",
        b"{},",
        b'{"a":0},',
        b"[" * 30 + b"]" * 30 + b",",
        b"0,",
        b"0.1,",
        b"1e9,",
        b'"",',
        b'"\\u0041",',
        b'"\\ud83d\\ude00",',
    ],
)
def test_forgers_make_no_work_in_python(part, values, size):
    """A-21: until the signature holds, no number of values in a token calls functions of ours again and again."""
    filled = b',"x":' + _fill(values, size) + b"}"
    header = HEADER_JSON[:-1] + (filled if part == "header" else b"}")
    payload = CLAIMS_JSON[:-1] + (filled if part == "payload" else b"}")
    token = f"{b64(header)}.{b64(payload)}.{SIGNATURE}"
    assert len(token) <= MAX_SIZE
    calls = 0

    def count(_frame, event, _argument):
        nonlocal calls
        calls += event == "call"

    key = parse_jwk(OKTA.jwk)
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        with pytest.raises(SubjectTokenInvalid):
            verify_subject_token(parse_subject_token(token), key, POLICY, NOW)
    finally:
        sys.setprofile(before)
    assert calls < 400


@pytest.mark.parametrize(
    "more",
    [b',"sub":"mallory"', b',"a":NaN', b',"a":1e400', b',"a":"\\ud800"', b',"a":' + b"[" * 40 + b"]" * 40],
)
@pytest.mark.parametrize("groups", [0, MAX_SMALL // 4])
def test_what_is_signed_reads_in_one_way(more, groups):
    """A-14: a payload that two readers could read in two ways is refused though the issuer signed it."""
    claims = json.dumps(OKTA.claims() | {"groups": ["g"] * groups}).encode()
    assert "sub" in verify(OKTA.sign(claims))
    with pytest.raises(SubjectTokenInvalid, match="not a strictly formed JSON object"):
        verify(OKTA.sign(claims[:-1] + more + b"}"))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300)
@given(
    st.sampled_from([*OKTA.claims(), "nbf", "scope", "azp", "client_id", "cnf", "nonce", "acr", "typ"]),
    JSON_VALUES,
)
def test_any_claim_value(name, value):
    """A-22: any value of any claim, rightly signed, is accepted or refused from the table."""
    token = OKTA.sign(json.dumps(OKTA.claims() | {name: value}).encode())
    try:
        verify(token)
    except SubjectTokenError:
        return


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "cty"]), JSON_VALUES, max_size=3
    )
)
def test_any_header(members):
    """A-22: so for any header."""
    try:
        verify(OKTA.sign_raw(json.dumps(members).encode(), CLAIMS_JSON))
    except SubjectTokenError:
        return


ORG_TYPE = {"typ": "application/okta-internal-at+jwt"}


@pytest.mark.parametrize(
    "token",
    [
        OKTA.mint(ORG_TYPE),
        OKTA.mint(iss="https://dev-1.okta.com", aud="https://dev-1.okta.com"),
        Issuer("https://login.example.com").mint(ORG_TYPE),
    ],
    ids=["by type", "by issuer", "custom domain"],
)
def test_org_tokens(token):
    """A-17: tokens of Okta's org authorization server are told apart, with the remedy."""
    with pytest.raises(SubjectTokenInvalid, match="org_authorization_server") as caught:
        refuse_org_token(parse_subject_token(token))
    assert "oauth2/default" in caught.value.remedy


def test_org_id_tokens():
    """A-17: an org's ID tokens may pass, for their keys are public; its access tokens never do."""
    org = Issuer("https://dev-1.okta.com")
    refuse_org_token(parse_subject_token(org.mint()), id_tokens=True)
    with pytest.raises(SubjectTokenInvalid, match="org_authorization_server"):
        refuse_org_token(parse_subject_token(org.mint(ORG_TYPE)), id_tokens=True)


@pytest.mark.parametrize(
    ("issuer", "is_org"),
    [
        ("https://dev-1.okta.com", True),
        ("https://dev-1.OKTA.com/", True),
        ("https://dev-1.oktapreview.com", True),
        ("https://dev-1.okta.com/oauth2/default", False),
        ("https://login.example.com", False),
        ("https://notokta.com", False),
        ("https://[", False),
        ("alice", False),
    ],
)
def test_org_issuer(issuer, is_org):
    """A-17: an Okta domain without /oauth2/ is the org's own authorization server."""
    assert is_org_issuer(issuer) is is_org


def make_subject_token(**changes):
    claims = OKTA.claims(**changes)
    return SubjectToken("t", "okta", ISSUER, claims["sub"], claims, b"", claims["exp"])


@pytest.mark.parametrize(
    "changes", [{"scp": ["a", "b"]}, {"scp": None, "scope": "a b"}, {"scp": "a", "scope": "b"}]
)
def test_scopes(changes):
    """A-26: scopes are read from scp and scope, as lists or separated by spaces."""
    require_scopes(make_subject_token(**changes), ["a", "b"])


def test_scopes_missing():
    """A-26: a missing scope is refused with the scopes that are needed."""
    with pytest.raises(ScopeInsufficient) as caught:
        require_scopes(make_subject_token(scp=["a"]), ["a", "needed"])
    assert caught.value.scopes == ("a", "needed")


@pytest.mark.parametrize(
    ("changes", "acr_values", "max_age"),
    [
        pytest.param({}, (), None, id="nothing asked"),
        pytest.param({"acr": "urn:okta:loa:2fa:any"}, ("urn:okta:loa:2fa:any", "phr"), None, id="acr"),
        pytest.param({"auth_time": int(NOW) - 300}, (), 300, id="just fresh"),
    ],
)
def test_authentication(changes, acr_values, max_age):
    """A-25: a strong and fresh authentication suffices."""
    require_authentication(make_subject_token(**changes), acr_values, max_age, NOW)


@pytest.mark.parametrize(
    ("changes", "acr_values", "max_age"),
    [
        pytest.param({}, ("urn:okta:loa:2fa:any",), None, id="no acr"),
        pytest.param({"acr": "urn:okta:loa:1fa:any"}, ("urn:okta:loa:2fa:any",), None, id="weak acr"),
        pytest.param({"auth_time": int(NOW) - 301}, (), 300.0, id="too old"),
        pytest.param({"auth_time": None}, (), 300.0, id="no auth_time"),
    ],
)
def test_step_up(changes, acr_values, max_age):
    """A-25: a weak or old authentication asks for a better one, and says which."""
    with pytest.raises(StepUpRequired) as caught:
        require_authentication(make_subject_token(**changes), acr_values, max_age, NOW)
    assert caught.value.acr_values == acr_values
    assert caught.value.max_age == (None if max_age is None else 300)


def test_nothing_shows_the_token():
    """No repr holds the token, its claims or its header."""
    token = parse_subject_token(GOOD)
    shown = repr(token) + repr(make_subject_token()) + repr(parse_jwk(make_jwk(make_key("ES256"))))
    assert "alice" not in shown
    assert SIGNATURE not in shown
