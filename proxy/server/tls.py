"""The TLS that callers are shown."""

from __future__ import annotations

import asyncio
import ssl
from hashlib import sha256

from ..config.certificates import load_pair
from ..config.models import ListenTLS
from ..jose.encoding import encode_base64url


def build_tls_context(tls: ListenTLS, *, http2: bool = False) -> ssl.SSLContext:
    """TLS 1.2 or later; inside HTTP/1.1 is spoken, or with ``http2`` what both prefer (RFC 7301). Raises OSError.

    Callers may show a certificate where there is a ``client_ca_file``, and a handshake with one that nobody named
    there has issued fails; none need show any.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    load_pair(context, tls.cert_file, tls.key_file)
    if tls.client_ca_file is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(tls.client_ca_file)
    return context


def find_client_certificate(transport: asyncio.BaseTransport) -> str | None:
    """``x5t#S256`` of the certificate that the peer has shown; OpenSSL has verified it, or there is none."""
    tls = transport.get_extra_info("ssl_object")
    certificate = None if tls is None else tls.getpeercert(binary_form=True)
    return None if certificate is None else encode_base64url(sha256(certificate).digest())
