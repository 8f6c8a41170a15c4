"""Key pairs made, loaded in each spelling, and refused when they do not fit."""

from __future__ import annotations

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from proxy.jose.private_keys import (
    build_jwks,
    check_alg,
    generate_key,
    load_keys,
    pem,
    private_jwk,
    public_jwk,
    thumbprint,
)

ALGS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
P256 = generate_key("ES256")
P384 = generate_key("ES384")


@pytest.mark.parametrize("alg", ALGS)
def test_a_key_of_each_kind_signs(alg):
    """X-09: RS and ES, 256 to 512; what the private half signs, the published half verifies."""
    key = generate_key(alg)
    jwks = build_jwks(load_keys(pem(key), alg=alg))
    token = jwt.encode({"a": 1}, key, algorithm=alg)
    assert jwt.decode(token, jwt.PyJWK(jwks["keys"][0]), algorithms=[alg]) == {"a": 1}


def test_no_key_for_another_algorithm():
    """An algorithm that is not ours has no key."""
    with pytest.raises(ValueError, match="HS256"):
        generate_key("HS256")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pem(P256), id="PEM"),
        pytest.param(json.dumps(private_jwk(P256)).encode(), id="JWK"),
        pytest.param(json.dumps({"keys": [private_jwk(P256)]}).encode(), id="JWK Set"),
    ],
)
def test_each_spelling_of_a_file(content):
    """PEM, JWK and JWK Set hold the same key, known by its thumbprint unless named."""
    [key] = load_keys(content)
    assert (key.alg, key.key_id) == ("ES256", thumbprint(public_jwk(P256)))
    assert load_keys(content, key_id="mine")[0].key_id == "mine"
    assert "PrivateKey" not in repr(key)


@pytest.mark.parametrize(
    "content",
    [
        pem(P256) + pem(P384),
        json.dumps({"keys": [private_jwk(P256, key_id="new"), private_jwk(P384, key_id="old")]}).encode(),
    ],
    ids=["PEM", "JWK Set"],
)
def test_two_keys_during_a_rotation(content):
    """X-11: the first signs as configured, both are published."""
    keys = load_keys(content, alg="ES256", key_id="first")
    assert (keys[0].alg, keys[0].key_id) == ("ES256", "first")
    assert [jwk["alg"] for jwk in build_jwks(keys)["keys"]] == ["ES256", "ES384"]


def test_a_published_key_has_no_private_half():
    """X-14: only public members, and what the key is for."""
    [jwk] = build_jwks(load_keys(pem(generate_key("RS256")), key_id="k"))["keys"]
    assert set(jwk) == {"kty", "n", "e", "use", "alg", "kid"}
    assert set(public_jwk(P256)) == {"kty", "crv", "x", "y"}


def test_the_thumbprint_of_rfc_7638():
    """RFC 7638 §3.1's own example."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi"
        "FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb"
        "9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls"
        "1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    assert (
        thumbprint({"kty": "RSA", "n": n, "e": "AQAB", "kid": "x"})
        == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    )


@pytest.mark.parametrize(("key", "alg"), [(P256, "RS256"), (P256, "ES384"), (generate_key("RS256"), "ES256")])
def test_a_key_that_does_not_fit(key, alg):
    """Contract 2.3: a key whose type does not fit signing_alg is refused with both named."""
    with pytest.raises(ValueError, match=alg):
        check_alg(key, alg)


def encrypted() -> bytes:
    return P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))


def unencrypted(key) -> bytes:
    return pem(key)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "neither PEM nor JSON"),
        (b"canary", "neither PEM nor JSON"),
        (b"[]", "no private key"),
        (b'{"keys": []}', "no private key"),
        (b'{"keys": "canary"}', "no private key"),
        (b'{"keys": ["canary"]}', "neither RSA nor EC"),
        (b'{"kty": "oct", "k": "canary"}', "neither RSA nor EC"),
        (b'{"kty": "EC", "crv": "P-256", "x": "canary", "y": "", "d": ""}', "cannot be read"),
        (b'{"kty": "EC"}', "cannot be read"),
        (b'{"kty": "RSA", "n": 5, "e": "AQAB", "d": ""}', "cannot be read"),
        (json.dumps(public_jwk(P256)).encode(), "no private"),
        (b"-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----", "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----", "no readable PEM"),
        (encrypted(), "password"),
        (unencrypted(ed25519.Ed25519PrivateKey.generate()), "no private RSA or EC"),
        (unencrypted(rsa.generate_private_key(65537, 1024)), "1024 bits"),
        (unencrypted(ec.generate_private_key(ec.SECP256K1())), "P-256"),
    ],
)
def test_files_that_hold_no_usable_key(content, says):
    """Each says what is wrong and never what it held."""
    with pytest.raises(ValueError, match=says) as refused:
        load_keys(content)
    assert "canary" not in str(refused.value)
