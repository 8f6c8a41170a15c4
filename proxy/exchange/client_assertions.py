"""JWTs that vouch for us (RFC 7521 §4.2, RFC 7523 §2.2): ``private_key_jwt``, and what others have signed.

A certificate in the header (RFC 7515 §4.1.6, §4.1.8) is how Microsoft Entra ID finds the key.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jwt

from ..config.models import Client
from ..config.secret_file import ParsedFiles
from ..jose.assertions import parse_assertion
from ..jose.certificates import Certificate, build_chain, find_certificate, load_certificates
from ..jose.private_keys import ClientKey, load_keys, public_jwk, thumbprint
from .credentials import (
    Alternation,
    ClientAuthentication,
    Credentials,
    Validity,
    build_ended,
    describe_certificate,
)

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:"
ASSERTION_LIFE = 120  # s: long enough for a slow server, short enough to be worthless soon
CHECK_FILE = (
    "See that what writes client.assertion_file is there and renews it: the kubelet for a projected token,"
    " spiffe-helper for a JWT-SVID."
)
CHECK_TRUST = (
    "Compare iss, sub and aud of the token in client.assertion_file with what the authorization server trusts for"
    " this client, and client.id with what it wants beside it."
)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of ours, and the header of what it signs; ``source`` tells it from others."""

    key: ClientKey
    source: bytes
    headers: Mapping[str, Any] = field(repr=False)
    certificate: Certificate | None = None


class PrivateKeyJWT(ClientAuthentication):
    """``private_key_jwt`` (RFC 7523 §3): a fresh assertion for each request.

    Of two keys the one that was taken last goes first; both are published.
    """

    def __init__(self, client_id: str, files: ParsedFiles[tuple[SigningKey, ...]]) -> None:
        self._client_id = client_id
        self._files = files
        self._alternation = Alternation()

    def authenticate(self, url: str, now: float) -> Credentials:
        signing = self._choose()
        assertion = jwt.encode(
            {
                "iss": self._client_id,
                "sub": self._client_id,
                "aud": url,
                "jti": secrets.token_urlsafe(16),
                "iat": int(now),
                "exp": int(now) + ASSERTION_LIFE,
            },
            signing.key.key,
            algorithm=signing.key.alg,
            headers=dict(signing.headers),
        )
        form = [("client_id", self._client_id), *_build_form("jwt-bearer", assertion)]
        return Credentials(form=form, source=signing.source, signed=True)

    def refuse(self, credentials: Credentials) -> None:
        self._alternation.refuse(credentials.source)

    def identity(self) -> str:
        return self._client_id

    def signing_keys(self) -> tuple[ClientKey, ...]:
        return tuple([signing.key for signing in self._files.read()])

    def validity(self) -> Validity | None:
        certificate = self._choose().certificate
        if certificate is None:
            fault = self._files.fault
            return Validity("key", self._files.name, fault=fault) if fault else None
        return describe_certificate(certificate, self._files)

    def _choose(self) -> SigningKey:
        return self._alternation.choose([(signing.source, signing) for signing in self._files.read()])[1]


class AssertionFile(ClientAuthentication):
    """Somebody else's JWT: a Kubernetes service account's, a JWT-SVID, what a cloud gives its workloads.

    One that has ended is not sent, for it is known what would be said to it.
    """

    remedy = CHECK_TRUST

    def __init__(self, client: Client, path: Path) -> None:
        self._client_id = client.id
        self._assertion_type = client.assertion_type
        self._files = ParsedFiles(parse_assertion, path)

    def authenticate(self, url: str, now: float) -> Credentials:
        assertion = self._files.read()
        if assertion.expires_at <= now:
            raise build_ended(self.validity(), CHECK_FILE)
        form = _build_form(self._assertion_type, assertion.value)
        if self._client_id is not None:
            form.insert(0, ("client_id", self._client_id))
        return Credentials(form=form, source=assertion.value.encode())

    def identity(self) -> str:
        if self._client_id is not None:
            return self._client_id
        assertion = self._files.read()
        return f"{assertion.issuer} {assertion.subject}"

    def validity(self) -> Validity:
        assertion = self._files.read()
        return Validity(
            "assertion", self._files.name, assertion.begins_at, assertion.expires_at, self._files.fault
        )


def build_signing_files(client: Client) -> ParsedFiles[tuple[SigningKey, ...]]:
    """The keys of ``client``, with their certificates where it names some."""
    if client.private_key_file is None:
        raise ValueError("private_key_jwt needs private_key_file")

    def parse(keys: bytes, certificates: bytes = b"") -> tuple[SigningKey, ...]:
        loaded = load_keys(keys, alg=client.signing_alg, key_id=client.key_id)
        if client.certificate_file is None:
            return tuple([_build_plain(key) for key in loaded])
        return _build_certified(client, loaded, load_certificates(certificates))

    paths = (client.private_key_file, client.certificate_file)
    return ParsedFiles(parse, *(path for path in paths if path is not None))


def _build_plain(key: ClientKey) -> SigningKey:
    return SigningKey(key, _name(key), {"kid": key.key_id})


def _build_certified(
    client: Client, keys: tuple[ClientKey, ...], certificates: tuple[Certificate, ...]
) -> tuple[SigningKey, ...]:
    """The keys that have a certificate. Raises ValueError where none has."""
    pairs = [(key, leaf) for key in keys if (leaf := find_certificate(certificates, key.key))]
    if not pairs:
        raise ValueError("no certificate in certificate_file is of a key in private_key_file")
    leaves = [leaf for _, leaf in pairs]
    authorities = [one for one in certificates if one not in leaves]
    return tuple([_certify(client, key, [leaf, *authorities]) for key, leaf in pairs])


def _certify(client: Client, key: ClientKey, chain: list[Certificate]) -> SigningKey:
    """With PS256 for an RSA key unless it is said otherwise, and no ``kid``: so Entra ID's own libraries write it."""
    if client.signing_alg is None and key.alg == "RS256":
        key = replace(key, alg="PS256")
    headers: dict[str, Any] = {"x5t#S256": chain[0].thumbprint}
    if client.send_chain:
        headers["x5c"] = build_chain(chain)
    if key.key_id == client.key_id:
        headers["kid"] = key.key_id
    return SigningKey(key, _name(key), headers, chain[0])


def _name(key: ClientKey) -> bytes:
    return thumbprint(public_jwk(key.key)).encode()


def _build_form(assertion_type: str, assertion: str) -> list[tuple[str, str]]:
    return [("client_assertion_type", ASSERTION_TYPE + assertion_type), ("client_assertion", assertion)]
