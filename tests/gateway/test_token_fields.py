"""How an access token is shown to an upstream."""

from __future__ import annotations

import hashlib
from typing import Literal

import jwt
import pytest

from proxy.exchange.dpop import DPoPKey
from proxy.exchange.token_exchange import build_access_token
from proxy.gateway.token_fields import TokenFields
from proxy.jose.encoding import encode_base64url
from tests.support.issuer import NOW, StillClock

KEY = DPoPKey(StillClock())
CHALLENGE = (b"www-authenticate", b'DPoP error="use_dpop_nonce"')
NONCE = (b"dpop-nonce", b"n-1")


def show(
    token_fields: TokenFields, kind: Literal["Bearer", "DPoP"], target: bytes = b"/a"
) -> dict[bytes, bytes]:
    fields = token_fields.build_fields(build_access_token("t.o.k", kind, NOW + 60, ()), "GET", target)
    assert len(dict(fields)) == len(fields)
    return dict(fields)


@pytest.mark.parametrize("key", [KEY, None], ids=["with a key", "without"])
def test_a_bearer_token_is_shown_alone(key: DPoPKey | None):
    """D-04: nothing says that a key is there."""
    assert show(TokenFields("https://api", key), "Bearer") == {b"authorization": b"Bearer t.o.k"}


def test_a_bound_token_is_shown_with_a_proof_for_this_request():
    """D-01: of our key, for method, URL without query, and token."""
    fields = show(TokenFields("https://api:8443", KEY), "DPoP", b"/a//b?x=1")
    assert fields[b"authorization"] == b"DPoP t.o.k"
    proof = fields[b"dpop"].decode()
    header, claims = jwt.get_unverified_header(proof), jwt.decode(proof, options={"verify_signature": False})
    assert header["typ"] == "dpop+jwt"
    assert claims["htm"] == "GET"
    assert claims["htu"] == "https://api:8443/a//b"
    assert claims["ath"] == encode_base64url(hashlib.sha256(b"t.o.k").digest())
    assert "nonce" not in claims


def test_no_proof_serves_twice():
    """D-03: each request has one of its own."""
    token_fields = TokenFields("https://api", KEY)
    assert show(token_fields, "DPoP")[b"dpop"] != show(token_fields, "DPoP")[b"dpop"]


@pytest.mark.parametrize(
    ("status", "fields", "asked"),
    [
        (401, [CHALLENGE, NONCE], True),
        (401, [(b"www-authenticate", b"Bearer"), CHALLENGE, NONCE], True),
        (401, [NONCE], False),
        (401, [CHALLENGE], False),
        (401, [CHALLENGE, (b"dpop-nonce", b"n 1")], False),
        (200, [CHALLENGE, NONCE], False),
        (403, [CHALLENGE, NONCE], False),
    ],
    ids=["asked", "two challenges", "no challenge", "no nonce", "no such nonce", "an answer", "forbidden"],
)
def test_when_a_proof_lacked_a_nonce(status: int, fields: list[tuple[bytes, bytes]], asked: bool):
    """D-05: a 401 with the challenge and a nonce, and nothing else, is worth another try."""
    assert TokenFields("https://api", KEY).learn(status, fields) is asked


def test_a_nonce_is_used_from_then_on():
    """D-02: whatever the status that brought it, and the newest one."""
    token_fields = TokenFields("https://api", KEY)
    for nonce in (b"n-1", b"n-2"):
        token_fields.learn(200, [(b"dpop-nonce", nonce)])
    proof = show(token_fields, "DPoP")[b"dpop"].decode()
    assert jwt.decode(proof, options={"verify_signature": False})["nonce"] == "n-2"
