"""Proofs verified as a server would, and the nonces in them."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode

import jwt

from proxy.exchange.dpop import DPoPKey
from proxy.jose.private_keys import thumbprint

from ..support.issuer import NOW, StillClock

URL = "https://example.okta.com/oauth2/default/v1/token"


def read(proof: str) -> tuple[dict, dict]:
    header = jwt.get_unverified_header(proof)
    claims = jwt.decode(
        proof, jwt.PyJWK(header["jwk"], "ES256"), algorithms=["ES256"], options={"verify_iat": False}
    )
    return header, claims


def test_a_proof_is_rfc_9449s():
    """D-01: typ, alg and the public jwk alone; htm, htu without query, iat, jti."""
    key = DPoPKey(StillClock())
    header, claims = read(key.proof("POST", URL + "?a=b#c"))
    assert set(header) == {"typ", "alg", "jwk"}
    assert (header["typ"], header["alg"]) == ("dpop+jwt", "ES256")
    assert set(header["jwk"]) == {"kty", "crv", "x", "y"}
    assert thumbprint(header["jwk"]) == key.thumbprint
    assert set(claims) == {"htm", "htu", "jti", "iat"}
    assert (claims["htm"], claims["htu"], claims["iat"]) == ("POST", URL, int(NOW))
    assert len(claims["jti"]) >= 22


def test_a_proof_for_a_resource():
    """D-01: the access token's hash, the resource's nonce, the other side's time."""
    _, claims = read(DPoPKey(StillClock()).proof("GET", URL, nonce="n", access_token="at", now=5.9))
    ath = urlsafe_b64encode(hashlib.sha256(b"at").digest()).rstrip(b"=").decode()
    assert (claims["ath"], claims["nonce"], claims["iat"]) == (ath, "n", 5)


def test_no_two_proofs_are_alike():
    """D-03: a jti of its own each time; two processes have two keys."""
    key = DPoPKey(StillClock())
    assert len({read(key.proof("POST", URL))[1]["jti"] for _ in range(50)}) == 50
    assert DPoPKey(StillClock()).thumbprint != key.thumbprint
