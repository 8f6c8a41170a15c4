"""DPoP proofs as a server checks them (RFC 9449 §4.3), at the token endpoint and at the sample API."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import jwt

from .refusals import Refused
from .signing import UNCHECKED, build_thumbprint, encode_base64url

_ALGORITHMS = ["ES256", "RS256", "ES384", "RS384", "ES512", "RS512"]
_MAX_AGE = 300  # s, Okta's
_TOLERANCE = 5  # s
_PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k"}


def verify_proof(
    values: Sequence[str],
    *,
    method: str,
    url: str,
    now: float,
    seen: set[str],
    nonces: Collection[str] = (),
    access_token: str | None = None,
) -> str:
    """The thumbprint of the key that made the proof; ``values`` are the DPoP header fields received.

    ``nonces`` are those that are good (empty: none is demanded), ``seen`` the ``jti`` of earlier proofs,
    ``access_token`` the token that the proof must name (RFC 9449 §4.2 ``ath``).
    """
    if not values:
        raise Refused("invalid_dpop_proof_missing_header")
    if len(values) > 1:
        raise Refused("invalid_dpop_proof_multiple_headers_not_allowed")
    jwk, claims = _verify_signature(values[0])
    _check_claims(claims, method, url, now)
    if nonces and claims.get("nonce") not in nonces:
        raise Refused("use_dpop_nonce")
    if access_token is not None and claims.get("ath") != build_token_hash(access_token):
        raise Refused("dpop_proof_invalid_ath")
    if claims["jti"] in seen:
        raise Refused("dpop_proof_already_used")
    seen.add(claims["jti"])
    return build_thumbprint(jwk)


def build_token_hash(access_token: str) -> str:
    """The ``ath`` of that token (RFC 9449 §4.2)."""
    return encode_base64url(hashlib.sha256(access_token.encode()).digest())


def _verify_signature(proof: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        header = jwt.get_unverified_header(proof)
    except jwt.PyJWTError:
        raise Refused("invalid_dpop_proof_invalid_jwt") from None
    if header.get("typ") != "dpop+jwt":
        raise Refused("invalid_dpop_proof_invalid_type")
    jwk = header.get("jwk")
    if not isinstance(jwk, dict) or jwk.get("kty") not in ("RSA", "EC") or _PRIVATE_MEMBERS & jwk.keys():
        raise Refused("invalid_dpop_proof_invalid_jwt")
    try:
        return jwk, jwt.decode(proof, jwt.PyJWK(jwk, header["alg"]), _ALGORITHMS, options=UNCHECKED)
    except (jwt.PyJWTError, KeyError, ValueError):
        raise Refused("invalid_dpop_proof_invalid_signature") from None


def _check_claims(claims: dict[str, Any], method: str, url: str, now: float) -> None:
    iat, jti = claims.get("iat"), claims.get("jti")
    if claims.get("htm") != method:
        raise Refused("invalid_dpop_proof_invalid_htm")
    if claims.get("htu") != url:
        raise Refused("invalid_dpop_proof_invalid_htu")
    if not isinstance(jti, str) or not jti:
        raise Refused("invalid_dpop_proof_invalid_jti")
    if not isinstance(iat, int | float) or isinstance(iat, bool):
        raise Refused("invalid_dpop_proof_invalid_iat")
    if iat > now + _TOLERANCE:
        raise Refused("invalid_dpop_proof_jwt_issued_in_future")
    if iat < now - _MAX_AGE:
        raise Refused("invalid_dpop_proof_jwt_too_old")
