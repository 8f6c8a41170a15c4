"""Certificates as headers and tokens name them."""

from __future__ import annotations

import hashlib
import ssl
from base64 import b64decode, urlsafe_b64encode
from pathlib import Path

import pytest

from proxy.jose.certificates import build_chain, find_certificate, load_certificates
from proxy.jose.private_keys import load_keys
from tests.support.certificates import Authority, Issued


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def issued(authority: Authority) -> Issued:
    return authority.issue()


def test_the_thumbprint(issued: Issued):
    """RFC 7515 §4.1.8: SHA-256 of the DER encoding, base64url without padding."""
    [certificate] = load_certificates(issued.cert_file.read_bytes())
    der = ssl.PEM_cert_to_DER_cert(issued.cert_file.read_text())
    assert certificate.thumbprint == urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
    assert certificate.begins_at < certificate.expires_at


def test_the_chain(issued: Issued, authority: Authority):
    """RFC 7515 §4.1.6: standard base64 of each, in the order given."""
    certificates = load_certificates(issued.cert_file.read_bytes() + authority.ca_file.read_bytes())
    assert [b64decode(one, validate=True) for one in build_chain(certificates)] == [
        certificate.der for certificate in certificates
    ]
    assert len(certificates) == 2


def test_the_certificate_of_a_key(issued: Issued, authority: Authority):
    """Whichever place it has in the file."""
    certificates = load_certificates(authority.ca_file.read_bytes() + issued.cert_file.read_bytes())
    key = load_keys(issued.key_file.read_bytes())[0].key
    assert find_certificate(certificates, key) is certificates[1]
    assert find_certificate(certificates[:1], key) is None


BROKEN = "-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----"


@pytest.mark.parametrize("content", [b"", b"canary", BROKEN.encode()], ids=["empty", "text", "broken"])
def test_what_is_no_certificate(content: bytes):
    """X-14: no reason quotes the file."""
    with pytest.raises(ValueError, match="no certificate in PEM") as refused:
        load_certificates(content)
    assert refused.value.__cause__ is None
