"""The certificate that callers are shown, and its replacement while connections come in."""

from __future__ import annotations

import ssl

from ..config.certificates import load_pair
from ..config.models import ListenTLS


class Certificate:
    """Chosen anew in each handshake, so that a replacement counts at once and is never seen half.

    ``context`` is for the listening socket, and stays. Sessions that callers resume keep the certificate they began
    with (RFC 8446 §2.2). Raises as ``build_tls_context`` does.
    """

    def __init__(self, tls: ListenTLS) -> None:
        self.context = self._current = build_tls_context(tls)
        self.context.sni_callback = self._choose

    def replace(self, context: ssl.SSLContext) -> None:
        """Handshakes from now on are made with ``context``."""
        self._current = context

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """OpenSSL calls this in each handshake, also where the caller names no server."""
        connection.context = self._current


def build_tls_context(tls: ListenTLS) -> ssl.SSLContext:
    """TLS 1.2 or later; HTTP/1.1 is what is spoken inside (RFC 7301). Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load_pair(context, tls.cert_file, tls.key_file)
    return context
