"""Our own X.509 certificates as JOSE and OAuth name them (RFC 7515 §4.1.6, §4.1.8).

Not checked here: who issued them, and whether their time has come or passed.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .encoding import encode_base64url
from .private_keys import PrivateKey


@dataclass(frozen=True, slots=True)
class Certificate:
    """``thumbprint`` is ``x5t#S256``; ``begins_at`` and ``expires_at`` are epoch seconds."""

    der: bytes = field(repr=False)
    public_key: bytes = field(repr=False)
    thumbprint: str
    begins_at: float
    expires_at: float


def load_certificates(content: bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM file, in its order, at least one. Raises ValueError, which never quotes the content."""
    try:
        return tuple([_build(certificate) for certificate in x509.load_pem_x509_certificates(content)])
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise ValueError("holds no certificate in PEM that can be read") from None


def find_certificate(certificates: Sequence[Certificate], key: PrivateKey) -> Certificate | None:
    """The one that is of ``key``."""
    public_key = _encode_public_key(key.public_key())
    return next((one for one in certificates if one.public_key == public_key), None)


def build_chain(certificates: Sequence[Certificate]) -> list[str]:
    """The header ``x5c``: in standard base64, the certificate of the signing key first."""
    return [base64.b64encode(certificate.der).decode() for certificate in certificates]


def _build(certificate: x509.Certificate) -> Certificate:
    return Certificate(
        der=certificate.public_bytes(Encoding.DER),
        public_key=_encode_public_key(certificate.public_key()),
        thumbprint=encode_base64url(certificate.fingerprint(hashes.SHA256())),
        begins_at=certificate.not_valid_before_utc.timestamp(),
        expires_at=certificate.not_valid_after_utc.timestamp(),
    )


def _encode_public_key(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded
