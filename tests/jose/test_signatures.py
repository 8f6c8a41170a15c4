"""Whether a signature holds."""

from __future__ import annotations

from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from proxy.jose.signatures import holds

SIGNED = b"header.payload"
ALGORITHMS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
    "Ed448": "Ed448",
}


@cache
def make(kind: str) -> Any:
    return {
        "RSA": lambda: rsa.generate_private_key(65537, 2048),
        "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "Ed25519": ed25519.Ed25519PrivateKey.generate,
        "Ed448": ed448.Ed448PrivateKey.generate,
    }[kind]()


def sign(alg: str, key: Any) -> bytes:
    """By PyJWT, which calls the curves of Edwards by one name."""
    return jwt.get_algorithm_by_name("EdDSA" if alg.startswith("Ed") else alg).sign(SIGNED, key)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_what_the_key_has_signed_holds(alg: str):
    """A-06: and nothing else: not another text, not another signature, not another key's."""
    key = make(ALGORITHMS[alg])
    signature, public = sign(alg, key), key.public_key()
    assert holds(alg, public, SIGNED, signature)
    assert not holds(alg, public, SIGNED + b"!", signature)
    for broken in (b"", signature[:-1], signature + b"\0", signature[:-1] + bytes([signature[-1] ^ 1])):
        assert not holds(alg, public, SIGNED, broken)


@pytest.mark.parametrize(("signed_by", "alg"), [("RS256", "RS384"), ("RS256", "PS256"), ("PS384", "RS384")])
def test_another_alg_of_the_same_key_does_not(signed_by: str, alg: str):
    """Hash and padding are the alg's own."""
    key = make("RSA")
    assert not holds(alg, key.public_key(), SIGNED, sign(signed_by, key))


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_an_ecdsa_signature_of_zeros_does_not(alg: str):
    """RFC 8725 §2.5, CVE-2022-21449: R and S are not 0. Nor is DER what JOSE has."""
    key = make(ALGORITHMS[alg])
    assert not holds(alg, key.public_key(), SIGNED, bytes(len(sign(alg, key))))
    der = key.sign(
        SIGNED,
        ec.ECDSA({"ES256": ec.hashes.SHA256, "ES384": ec.hashes.SHA384, "ES512": ec.hashes.SHA512}[alg]()),
    )
    assert not holds(alg, key.public_key(), SIGNED, der)
