"""RFC 7517: which keys may verify signatures."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ed448

from proxy.jose.jwk import MAX_KEYS, RSA_ALGORITHMS, parse_jwk, parse_jwk_set
from tests.support.issuer import b64, make_body, make_jwk, make_key, make_rsa_key

RSA = make_jwk(make_rsa_key(), kid="r")
EC = make_jwk(make_key("ES256"), kid="e")
PRIVATE = dict.fromkeys(("d", "p", "q", "dp", "dq", "qi"), "AQAB")


@pytest.mark.parametrize(
    ("jwk", "algorithms"),
    [
        pytest.param(RSA, RSA_ALGORITHMS, id="rsa"),
        pytest.param(
            RSA | {"alg": "PS384", "use": "sig", "key_ops": ["verify"]}, {"PS384"}, id="rsa for one alg"
        ),
        pytest.param(EC, {"ES256"}, id="p-256"),
        pytest.param(make_jwk(make_key("ES384")), {"ES384"}, id="p-384"),
        pytest.param(make_jwk(make_key("ES512"), alg="ES512"), {"ES512"}, id="p-521"),
        pytest.param(make_jwk(make_key("EdDSA")), {"EdDSA", "Ed25519"}, id="ed25519"),
        pytest.param(make_jwk(ed448.Ed448PrivateKey.generate()), {"EdDSA", "Ed448"}, id="ed448"),
    ],
)
def test_accepted(jwk, algorithms):
    """A-06: a key verifies the algorithms of its type, or the one it names."""
    assert parse_jwk(jwk).algorithms == algorithms


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param(None, id="no object"),
        pytest.param([], id="list"),
        pytest.param({}, id="empty"),
        pytest.param({"kty": ["RSA"]}, id="kty is a list"),
        pytest.param({"kty": "oct", "k": "AQAB"}, id="symmetric"),
        pytest.param({"kty": "oct"}, id="symmetric without its key"),
        *(pytest.param(RSA | {name: value}, id=f"private {name}") for name, value in PRIVATE.items()),
        pytest.param(RSA | {"oth": []}, id="private oth"),
        pytest.param(RSA | {"use": "enc"}, id="for encryption"),
        pytest.param(RSA | {"use": None}, id="use is null"),
        pytest.param(RSA | {"key_ops": ["encrypt"]}, id="key_ops without verify"),
        pytest.param(RSA | {"key_ops": "verify"}, id="key_ops is a text"),
        pytest.param(RSA | {"alg": "ES256"}, id="alg of another type"),
        pytest.param(RSA | {"alg": "HS256"}, id="alg is symmetric"),
        pytest.param(RSA | {"alg": "none"}, id="alg none"),
        pytest.param(RSA | {"alg": ["RS256"]}, id="alg is a list"),
        pytest.param(RSA | {"kid": 1}, id="kid is a number"),
        pytest.param(RSA | {"kid": ""}, id="kid is empty"),
        pytest.param(RSA | {"kid": "k" * 257}, id="kid is long"),
        pytest.param(RSA | {"n": None}, id="n is missing"),
        pytest.param(RSA | {"n": RSA["n"] + "="}, id="n is padded"),
        pytest.param(RSA | {"e": "AQ"}, id="exponent 1"),
        pytest.param(RSA | {"e": "Ag"}, id="exponent 2"),
        pytest.param(RSA | {"e": b64(b"\xff" * 8)}, id="huge exponent"),
        pytest.param(make_jwk(make_rsa_key(bits=1024)), id="1024 bits"),
        pytest.param(RSA | {"n": b64(b"\xff" * 2048)}, id="16384 bits"),
        pytest.param(EC | {"crv": "P-384"}, id="another curve"),
        pytest.param(EC | {"crv": "secp256k1"}, id="unknown curve"),
        pytest.param(EC | {"crv": ["P-256"]}, id="curve is a list"),
        pytest.param(EC | {"x": b64(b"\x01" * 32)}, id="not on the curve"),
        pytest.param(EC | {"x": b64(b"\x01" * 31)}, id="short coordinate"),
        pytest.param(make_jwk(make_key("EdDSA"), crv="X25519"), id="a key for key agreement"),
        pytest.param(make_jwk(make_key("EdDSA"), x="AAAA"), id="short edwards point"),
    ],
)
def test_refused(jwk):
    """A-24, A-27: a key that is weak, private, symmetric, of another use or malformed is refused."""
    with pytest.raises(ValueError):  # noqa: PT011  every fault of a key is a ValueError
        parse_jwk(jwk)


def test_set_keeps_what_is_good():
    """A-24: one unfit key costs itself alone, and its place is named."""
    key_set = parse_jwk_set(make_body(RSA, {"kty": "oct", "k": "AQAB"}, EC))
    assert [key.kid for key in key_set.keys] == ["r", "e"]
    assert key_set.refusals == ("keys[1]: holds a private or symmetric key",)


def test_set_refuses_shared_kids():
    """A-24: keys that share a kid, or share having none, are all refused: nothing tells which is meant."""
    twin = make_jwk(make_rsa_key("other"), kid="r")
    anonymous = [make_jwk(make_rsa_key()), make_jwk(make_rsa_key("other"))]
    key_set = parse_jwk_set(make_body(RSA, twin, EC, *anonymous))
    assert [key.kid for key in key_set.keys] == ["e"]
    assert len(key_set.refusals) == 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [{"kty": "oct", "k": "AQAB"}]}',
        b"\xff",
        make_body(*[EC | {"kid": str(number)} for number in range(MAX_KEYS + 1)]),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_no_set(body):
    """K-01, K-07: what is no set of usable keys, or one of more than 100, is refused as a whole."""
    with pytest.raises(ValueError):  # noqa: PT011
        parse_jwk_set(body)
