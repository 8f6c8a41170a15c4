"""Certificates of the demo: its authority, its server's, and those by which clients are known (RFC 8705)."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LIFE = dt.timedelta(days=30)
AUTHORITY = "obo-proxy demo authority"
_SIGNS_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Pair:
    """PEM files of a certificate and its private key; ``thumbprint`` is SHA-256 of the certificate, in hexadecimal."""

    cert_file: Path
    key_file: Path
    thumbprint: str


class Authority:
    """Issues certificates into ``folder``; ``ca_file`` there is its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(AUTHORITY)
        builder = (
            _build(self._name, self._name, self._key, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS_CERTIFICATES, critical=True)
        )
        self.ca_file = folder / "ca.crt"
        self.ca_file.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(
        self, common_name: str, *, host: str | None = None, key: ec.EllipticCurvePrivateKey | None = None
    ) -> Pair:
        """A certificate for a client, of its ``key`` if it has one, or for the server at ``host``."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = _build(_name(common_name), self._name, key, self._key)
        if host is not None:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(host))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return self._write(common_name, key, builder.sign(self._key, hashes.SHA256()))

    def sign_itself(self, common_name: str) -> Pair:
        """A certificate that nobody has issued."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(common_name)
        return self._write(common_name, key, _build(name, name, key, key).sign(key, hashes.SHA256()))

    def _write(self, stem: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Pair:
        pair = Pair(
            self._folder / f"{stem}.crt",
            self._folder / f"{stem}.key",
            certificate.fingerprint(hashes.SHA256()).hex(),
        )
        pair.cert_file.write_bytes(certificate.public_bytes(Encoding.PEM))
        pair.key_file.touch(mode=0o600)
        pair.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return pair


def build_server_context(own: Pair, *trusted: Path) -> ssl.SSLContext:
    """TLS that asks callers for a certificate: of an authority in ``trusted``, or one of those themselves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.cert_file, own.key_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    for file in trusted:
        context.load_verify_locations(file)
    return context


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _build(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    """With the identifiers of both keys (RFC 5280 §4.2.1), which Python asks for from 3.13 on."""
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
