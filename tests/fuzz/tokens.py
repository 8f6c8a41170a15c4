"""Targets among tokens: what a caller presents, and what an authorization server answers."""

from __future__ import annotations

from hashlib import sha256

from proxy.authentication.binding import Binding
from proxy.authentication.claims import SubjectTokenPolicy
from proxy.authentication.dpop_proof import Presented, verify_proof
from proxy.authentication.subject_token import parse_subject_token, verify_subject_token
from proxy.errors import ExchangeResponseInvalid, SubjectTokenError
from proxy.exchange.token_exchange import AccessToken, TokenRequest
from proxy.exchange.token_response import parse_token_response
from proxy.jose.encoding import parse_json_object
from proxy.jose.jwk import build_thumbprint, parse_jwk
from tests.support.issuer import AUDIENCE, ISSUER, NOW, Issuer, b64
from tests.support.prover import Prover

from .wire import require

ISSUER_OF_ALL = Issuer(alg="EdDSA")
GENUINE = ISSUER_OF_ALL.mint()
_KEY = parse_jwk(ISSUER_OF_ALL.jwk)
_POLICY = SubjectTokenPolicy(ISSUER, AUDIENCE, algorithms=frozenset({"EdDSA"}))
PROVER = Prover("EdDSA")
PROVEN_TOKEN = "a.b.c"
PROVEN_URL = "https://api.example.com/orders/1"
_PRESENTED = Presented("GET", "https://api.example.com", "/orders/1", sha256(PROVEN_TOKEN.encode()).digest())
_REQUEST = TokenRequest("okta", "token_exchange", audience=("api://orders",), scopes=("orders:read",))


def verify_token(data: bytes) -> None:
    """Refused with a reason, or the very token that was issued."""
    value = data.decode("latin-1")
    try:
        verify_subject_token(parse_subject_token(value), _KEY, _POLICY, NOW)
    except SubjectTokenError as error:
        require(error.status in {401, 403}, error)
        return
    assert value == GENUINE


def verify_claims(data: bytes) -> None:
    """Whatever a key of the issuer has signed is refused with a reason, or names one user for a limited time."""
    header, _, payload = data.partition(b"\n")
    signed = f"{b64(header)}.{b64(payload)}"
    value = f"{signed}.{b64(ISSUER_OF_ALL.key.sign(signed.encode()))}"
    try:
        claims = verify_subject_token(parse_subject_token(value), _KEY, _POLICY, NOW)
    except SubjectTokenError as error:
        require(error.status in {401, 403}, error)
        return
    assert isinstance(claims["sub"], str)
    assert claims["sub"].encode()
    assert claims["iss"] == ISSUER
    assert claims["exp"] > NOW - 300


def verify_callers_proof(data: bytes) -> None:
    """Of a key that its maker has chosen: refused with a reason, or one that is young and can be remembered."""
    header, _, payload = data.partition(b"\n")
    signed = f"{b64(header)}.{b64(payload)}"
    value = f"{signed}.{b64(PROVER.key.sign(signed.encode()))}"
    try:
        thumbprint = build_thumbprint(parse_json_object(header)["jwk"])
    except (ValueError, KeyError, AttributeError):
        thumbprint = PROVER.thumbprint
    try:
        proof = verify_proof([value.encode()], Binding(thumbprint, None, 90.0, nonce=False), _PRESENTED, NOW)
    except SubjectTokenError as error:
        require(error.status == 401, error)
        return
    assert 0 < len(proof.token_id.encode()) <= 1024
    assert abs(proof.issued_at - NOW) <= 90


def parse_answer(data: bytes) -> None:
    """Refused, or a token that can stand in a header field, with an end that is no surprise."""
    try:
        answer = parse_json_object(data)
    except ValueError:
        return
    try:
        token = parse_token_response(answer, _REQUEST, None, now=NOW, check_subject=False)
    except ExchangeResponseInvalid as error:
        require(error.status == 502, error)
        return
    assert isinstance(token, AccessToken)
    scheme, _, value = token.authorization.decode("ascii").partition(" ")
    assert scheme in {"Bearer", "DPoP"}
    assert value.isprintable()
    assert " " not in value
    assert token.expires_at is None or token.expires_at < NOW + 2**53
