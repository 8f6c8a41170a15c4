"""Signing keys: one ring for each authorization server, rotated as Okta rotates (announced) or suddenly."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.types import Options

# For PyJWT: the signature alone is checked, what the claims say is the caller's business.
UNCHECKED: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def make_key(name: str) -> PrivateKey:
    """The key of that name: RSA keys are slow to make, so a process makes each once."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _make_jwk(name: str) -> dict[str, Any]:
    return build_public_jwk(make_key(name))


@cache
def _make_verifier(name: str) -> jwt.PyJWK:
    return jwt.PyJWK(_make_jwk(name))


def encode_base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def build_public_jwk(key: PrivateKey) -> dict[str, Any]:
    """The public half as a JWK (RFC 7517) with its thumbprint as ``kid``."""
    public = key.public_key()
    jwk: dict[str, Any]
    if isinstance(public, rsa.RSAPublicKey):
        jwk = {**RSAAlgorithm.to_jwk(public, as_dict=True), "alg": "RS256"}
    else:
        jwk = {**ECAlgorithm.to_jwk(public, as_dict=True), "alg": "ES256"}
    jwk.pop("key_ops", None)
    return {**jwk, "use": "sig", "kid": build_thumbprint(jwk)}


def build_thumbprint(jwk: dict[str, Any]) -> str:
    """RFC 7638 §3: the digest of the members that make the key, in order, without spaces."""
    names = ("e", "kty", "n") if jwk["kty"] == "RSA" else ("crv", "kty", "x", "y")
    canonical = json.dumps({name: jwk[name] for name in names}, separators=(",", ":"))
    return encode_base64url(hashlib.sha256(canonical.encode()).digest())


class KeyRing:
    """The keys of one server: one signs, all that are published verify. Made when first needed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._current = 1
        self._published = [1]

    @property
    def key(self) -> PrivateKey:
        """The key that signs now."""
        return make_key(f"{self._name}/{self._current}")

    @property
    def kid(self) -> str:
        """The ``kid`` of the key that signs now."""
        return str(_make_jwk(f"{self._name}/{self._current}")["kid"])

    @property
    def published(self) -> list[dict[str, Any]]:
        """The JWKs at ``jwks_uri``."""
        return [_make_jwk(f"{self._name}/{generation}") for generation in self._published]

    def announce(self) -> None:
        """Publishes the next key before anything is signed with it."""
        self._published.append(self._current + 1)

    def rotate(self) -> None:
        """Signs with the next key from now on; not announced before, it comes as a surprise."""
        self._current += 1
        if self._current not in self._published:
            self._published.append(self._current)

    def retire(self) -> None:
        """Publishes no other key than the one that signs."""
        self._published = [self._current]

    def sign(self, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        """A compact JWS without ``typ``, as Okta's access tokens are; ``header`` adds or replaces."""
        return jwt.encode(claims, self.key, "RS256", {"typ": None, "kid": self.kid, **(header or {})})

    def verify(self, token: str) -> dict[str, Any]:
        """The claims if a published key made the token, else PyJWTError; times and audience are not looked at."""
        kid = jwt.get_unverified_header(token).get("kid")
        for generation in self._published:
            name = f"{self._name}/{generation}"
            if _make_jwk(name)["kid"] == kid:
                return jwt.decode(token, _make_verifier(name), ["RS256"], options=UNCHECKED)
        raise jwt.InvalidTokenError("unknown kid")
