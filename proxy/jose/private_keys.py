"""Our own key pairs: made, loaded and shown (RFC 7517, RFC 7518 §6, RFC 7638).

For ``private_key_jwt`` and DPoP alike. Nothing here says which key is used when.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from .encoding import encode_base64url

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

MIN_RSA_BITS = 2048  # RFC 7518 §3.3
_CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
}
_RSA_ALGS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_PEM_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_THUMBPRINT_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A private key with the ``alg`` it signs by and the ``kid`` it is known under."""

    key: PrivateKey = field(repr=False)
    alg: str
    key_id: str


def generate_key(alg: str) -> PrivateKey:
    """A new key for ``alg`` (RS256 … ES512). Raises ValueError for another."""
    if alg in _RSA_ALGS:
        return rsa.generate_private_key(public_exponent=65537, key_size=MIN_RSA_BITS)
    if alg in _CURVES:
        return ec.generate_private_key(_CURVES[alg]())
    raise ValueError(f"no key can be made for {alg}")


def load_keys(content: bytes, *, alg: str | None = None, key_id: str | None = None) -> tuple[ClientKey, ...]:
    """The private keys of a file: PEM blocks, a JWK, or a JWK Set; the first is the one to sign with.

    ``alg`` and ``key_id`` are what the configuration says of the first; a file's own ``kid`` counts where
    it is silent, and the thumbprint where both are. The others go by ``alg`` as well if it is one of theirs.
    Raises ValueError, which never quotes the content.
    """
    found = _load_pem(content) if b"-----BEGIN" in content else _load_jwks(content)
    if not found:
        raise ValueError("holds no private key")
    (first, kid), *others = found
    return (
        ClientKey(first, check_alg(first, alg), key_id or kid or thumbprint(public_jwk(first))),
        *(ClientKey(key, _choose_alg(key, alg), kid or thumbprint(public_jwk(key))) for key, kid in others),
    )


def check_alg(key: PrivateKey, alg: str | None) -> str:
    """The ``alg`` for ``key``: the one asked for if it fits, else the key's own. Raises ValueError."""
    fitting = _fitting_algs(key)
    if alg is None:
        return fitting[0]
    if alg not in fitting:
        raise ValueError(f"is a key for {' or '.join(fitting)}, not for {alg}")
    return alg


def public_jwk(key: PrivateKey, *, alg: str | None = None, key_id: str | None = None) -> dict[str, str]:
    """The public half as a JWK; with ``alg`` or ``key_id`` it also says what it is for."""
    if isinstance(key, rsa.RSAPrivateKey):
        members = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        members = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return _plain(members) | _described(alg, key_id)


def private_jwk(key: PrivateKey, *, alg: str | None = None, key_id: str | None = None) -> dict[str, str]:
    """The whole key as a JWK."""
    if isinstance(key, rsa.RSAPrivateKey):
        members = RSAAlgorithm.to_jwk(key, as_dict=True)
    else:
        members = ECAlgorithm.to_jwk(key, as_dict=True)
    return _plain(members) | _described(alg, key_id)


def pem(key: PrivateKey) -> bytes:
    """The whole key as unencrypted PKCS #8 in PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def build_jwks(keys: Iterable[ClientKey]) -> dict[str, list[dict[str, str]]]:
    """The public JWK Set of ``keys``, for an authorization server to fetch."""
    return {"keys": [public_jwk(one.key, alg=one.alg, key_id=one.key_id) for one in keys]}


def thumbprint(jwk: Mapping[str, str]) -> str:
    """RFC 7638: SHA-256 over the required members, base64url without padding."""
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]]}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return encode_base64url(hashlib.sha256(canonical.encode()).digest())


def _plain(members: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in members.items() if name != "key_ops"}


def _described(alg: str | None, key_id: str | None) -> dict[str, str]:
    members = {"use": "sig", "alg": alg, "kid": key_id} if alg or key_id else {}
    return {name: value for name, value in members.items() if value is not None}


def _choose_alg(key: PrivateKey, alg: str | None) -> str:
    fitting = _fitting_algs(key)
    return alg if alg in fitting else fitting[0]


def _fitting_algs(key: PrivateKey) -> tuple[str, ...]:
    if isinstance(key, rsa.RSAPrivateKey):
        return _RSA_ALGS
    return tuple(alg for alg, curve in _CURVES.items() if isinstance(key.curve, curve))


def _load_pem(content: bytes) -> list[tuple[PrivateKey, str | None]]:
    return [(_load_pem_key(block), None) for block in _PEM_KEY.findall(content)]


def _load_pem_key(block: bytes) -> PrivateKey:
    try:
        key = load_pem_private_key(block, password=None)
    except TypeError as error:
        raise ValueError("holds a key that is encrypted with a password") from error
    except ValueError:
        # What the library says may quote the content.
        raise ValueError("holds no readable PEM key") from None
    return _checked(key)


def _load_jwks(content: bytes) -> list[tuple[PrivateKey, str | None]]:
    try:
        document = json.loads(content)
    except ValueError:
        raise ValueError("is neither PEM nor JSON") from None
    members = document.get("keys", [document]) if isinstance(document, dict) else []
    return [_load_jwk(jwk) for jwk in members] if isinstance(members, list) else []


def _load_jwk(jwk: Any) -> tuple[PrivateKey, str | None]:
    if not isinstance(jwk, dict) or jwk.get("kty") not in _THUMBPRINT_MEMBERS:
        raise ValueError("holds a JWK that is neither RSA nor EC")
    algorithm = RSAAlgorithm if jwk["kty"] == "RSA" else ECAlgorithm
    try:
        key: object = algorithm.from_jwk(jwk)
    except (InvalidKeyError, ValueError, TypeError, KeyError):
        raise ValueError("holds a JWK that cannot be read") from None
    kid = jwk.get("kid")
    return _checked(key), kid if isinstance(kid, str) and kid else None


def _checked(key: object) -> PrivateKey:
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("holds no private RSA or EC key")  # noqa: TRY004  a fault of the file, not of the code
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise ValueError(f"is an RSA key of {key.key_size} bits; {MIN_RSA_BITS} are the least")
    if not _fitting_algs(key):
        raise ValueError("is on a curve other than P-256, P-384 and P-521")
    return key
