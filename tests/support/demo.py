"""The demo as a fixture, and altered copies of users' tokens."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote_plus

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from proxy.demo import Demo
from proxy.demo.org import SERVICE_ID, SERVICE_SECRET
from proxy.demo.signing import encode_base64url, make_key


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    """The authorization servers and the sample API, running on loopback."""
    async with Demo() as running:
        yield running


def decode(token: str) -> dict[str, Any]:
    """A token's claims, unverified."""
    return jwt.decode(token, options={"verify_signature": False})


def basic(client_id: str = SERVICE_ID, secret: str = SERVICE_SECRET) -> str:
    """The Authorization field value of client_secret_basic (RFC 6749 §2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def resign(token: str, claims: dict[str, Any] | None = None, **header: Any) -> str:
    """The token with other claims (None leaves one out), signed by a key nobody publishes under the same ``kid``."""
    merged = {name: value for name, value in {**decode(token), **(claims or {})}.items() if value is not None}
    fields = {"typ": None, **jwt.get_unverified_header(token), **header}
    return jwt.encode(merged, make_key("attacker"), "RS256", fields)


def sign_as_server(demo: Demo, claims: dict[str, Any], *, server: str = "default", **header: Any) -> str:
    """Any claims with any header, signed by the server's own key."""
    return demo.tenant.servers[server].keys.sign(claims, header)


def _split(token: str) -> tuple[str, str, str]:
    header, payload, signature = token.split(".")
    return header, payload, signature


def _encode(value: Any) -> str:
    return encode_base64url(json.dumps(value, separators=(",", ":")).encode())


def _tamper_signature(demo: Demo, token: str) -> str:
    header, payload, signature = _split(token)
    return f"{header}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def _tamper_payload(demo: Demo, token: str) -> str:
    header, _, signature = _split(token)
    return f"{header}.{_encode({**decode(token), 'sub': 'mallory'})}.{signature}"


def _unsigned(demo: Demo, token: str) -> str:
    return f"{_encode({'alg': 'none'})}.{_split(token)[1]}."


def _unsigned_with_kid(demo: Demo, token: str) -> str:
    return f"{_encode({**jwt.get_unverified_header(token), 'alg': 'none'})}.{_split(token)[1]}."


def _signed_with_public_key(demo: Demo, token: str) -> str:
    """RS256 taken for HS256 with the public key's PEM as the secret (RFC 8725 §2.1)."""
    public = demo.tenant.servers["default"].keys.key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header = _encode({**jwt.get_unverified_header(token), "alg": "HS256"})
    signed = f"{header}.{_split(token)[1]}"
    return f"{signed}.{encode_base64url(hmac.digest(pem, signed.encode(), 'sha256'))}"


def _own_key(demo: Demo, token: str) -> str:
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(make_key("attacker").public_key(), as_dict=True)  # type: ignore[arg-type]
    return resign(token, kid="attacker", jwk=jwk)


def _expired(demo: Demo, token: str) -> str:
    return sign_as_server(demo, {**decode(token), "exp": int(demo.tenant.now()) - 3600})


def _other_audience(demo: Demo, token: str) -> str:
    return sign_as_server(demo, {**decode(token), "aud": "api://elsewhere"})


def _other_issuer(demo: Demo, token: str) -> str:
    return sign_as_server(demo, {**decode(token), "iss": "https://elsewhere.example/oauth2/default"})


def _other_server(demo: Demo, token: str) -> str:
    """Another server of the org signs in the name of this one."""
    return sign_as_server(demo, decode(token), server="orders")


def _padded(demo: Demo, token: str) -> str:
    return f"{token}=="


def _trailing_bits(demo: Demo, token: str) -> str:
    """The same bytes, spelled differently: the last character's unused bits are set (RFC 4648 §3.5)."""
    last = ord(urlsafe_b64decode(f"AAA{token[-1]}")[-1:])
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[last ^ 1]


FORGERIES: dict[str, Callable[[Demo, str], str]] = {
    "signature altered": _tamper_signature,
    "payload altered": _tamper_payload,
    "unsigned": _unsigned,
    "unsigned with kid": _unsigned_with_kid,
    "HS256 with the public key": _signed_with_public_key,
    "signed by another key": lambda demo, token: resign(token),
    "brings its own key": _own_key,
    "expired": _expired,
    "other audience": _other_audience,
    "other issuer": _other_issuer,
    "signed by another server": _other_server,
    "padded": _padded,
    "trailing bits": _trailing_bits,
}
"""Copies of a user's token that must not be taken for it, by what is wrong with them."""
