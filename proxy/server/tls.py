"""The TLS that callers are shown."""

from __future__ import annotations

import ssl

from ..config.certificates import load_pair
from ..config.models import ListenTLS


def build_tls_context(tls: ListenTLS) -> ssl.SSLContext:
    """TLS 1.2 or later; HTTP/1.1 is what is spoken inside (RFC 7301). Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load_pair(context, tls.cert_file, tls.key_file)
    return context
