"""An issuer of subject tokens that tests can make say anything, and a clock that stands still."""

import json
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER = "https://example.okta.com/oauth2/default"
AUDIENCE = "api://default"
NOW = 1_795_216_074.0


@dataclass
class StillClock:
    """Both clocks move only when told to."""

    now: float = NOW
    passed: float = 1000.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.passed

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.passed += seconds


@cache
def make_rsa_key(name: str = "", bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def make_key(alg: str, name: str = "") -> Any:
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    if alg in curves:
        return ec.generate_private_key(curves[alg])
    return ed25519.Ed25519PrivateKey.generate() if alg == "EdDSA" else make_rsa_key(name)


def make_jwk(key: Any, **members: Any) -> dict[str, Any]:
    """The public JWK of a private key; a member that is None is left out."""
    algorithm = {"RSA": "RS256", "Ell": "ES256", "_El": "ES256", "ECP": "ES256"}.get(
        type(key).__name__[:3], "EdDSA"
    )
    jwk = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return {name: value for name, value in (jwk | members).items() if value is not None}


def make_body(*jwks: dict[str, Any]) -> bytes:
    return json.dumps({"keys": jwks}).encode()


def shows_token(text: str) -> bool:
    """Whether a JWT, its header or its claims begin anywhere in ``text``; within a random text ``eyJ`` is no token."""
    return re.search(r"(?<![A-Za-z0-9_-])eyJ", text) is not None


def b64(value: Any) -> str:
    """base64url of bytes, or of a value's JSON."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Issuer:
    """Signs whatever it is told to with one RSA key."""

    issuer: str = ISSUER
    kid: str = "key-1"
    alg: str = "RS256"
    key: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.key = self.key or make_key(self.alg)

    @property
    def jwk(self) -> dict[str, Any]:
        return make_jwk(self.key, kid=self.kid, alg=self.alg, use="sig")

    def claims(self, **changes: Any) -> dict[str, Any]:
        """An Okta access token's claims; one that is changed to None is left out."""
        claims = {
            "ver": 1,
            "jti": "AT.5KDp9G",
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "alice@example.com",
            "iat": int(NOW) - 60,
            "exp": int(NOW) + 3600,
            "cid": "0oaclient",
            "uid": "00ualice",
            "scp": ["openid", "orders:read"],
            "auth_time": int(NOW) - 120,
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def mint(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token with these changes to its header and claims."""
        return self.sign(json.dumps(self.claims(**changes)).encode(), header)

    def sign(self, payload: bytes, header: dict[str, Any] | None = None) -> str:
        """A token with exactly this payload; a header member that is None is left out."""
        members = {"alg": self.alg, "kid": self.kid} | (header or {})
        return self.sign_raw(
            json.dumps({k: v for k, v in members.items() if v is not None}).encode(), payload
        )

    def sign_raw(self, header: bytes, payload: bytes) -> str:
        signing_input = f"{b64(header)}.{b64(payload)}"
        signature = jwt.get_algorithm_by_name(self.alg).sign(signing_input.encode(), self.key)
        return f"{signing_input}.{b64(signature)}"
