"""What keeps a connection from being made, by the resolver's, the kernel's or TLS's exception behind an error."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping

from ..errors import ProxyError

# OpenSSL's X509_V_ERR_*, which Python does not name.
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 62, 64
_CERTIFICATE = {
    _EXPIRED: "Its certificate has ended: renew it there.",
    _NOT_YET_VALID: "Its certificate begins later: compare the clocks.",
    _OTHER_NAME: "Its certificate is for another name: call it by that name, or set the route's tls.server_name.",
    _OTHER_ADDRESS: "Its certificate is for another address: call it by the name in the certificate.",
}
_UNKNOWN_AUTHORITY = (
    "The authority that signed its certificate is not known here: name its PEM file as ca_file."
)
_NO_TLS = "What listens there speaks no TLS: correct the scheme (http) or the port."
_TLS = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "TLSV1_ALERT_NO_APPLICATION_PROTOCOL": "It speaks another version of HTTP: set the route's http2 the other way.",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "It asks for a certificate of ours: set cert_file and key_file.",
}
_RESOLVER = {
    socket.EAI_NONAME: "The name does not resolve here: correct it, or look at the resolver.",
    socket.EAI_AGAIN: "The name does not resolve here: look at the resolver (/etc/resolv.conf).",
    getattr(socket, "EAI_NODATA", 0): "The name has no address: correct it, or look at the resolver.",
}
_NO_LISTENER = "Nothing listens there: start it, or correct the host and the port."
_KERNEL: Mapping[type[OSError], str] = {
    FileNotFoundError: "There is no socket of this path: correct it, or start what makes it.",
    PermissionError: "The socket may not be opened by this user: correct its mode or owner.",
    ConnectionRefusedError: _NO_LISTENER,
    TimeoutError: "Nothing answered in time: look for a firewall; if only a proxy leads there, set proxy_url.",
}


def advise(error: ProxyError) -> str:
    """The remedy for ``error``, a connection that was not made; else what usually helps."""
    return next(filter(None, map(_find_remedy, _find_causes(error))), error.remedy)


def _find_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _find_remedy(cause: BaseException) -> str | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(cause.verify_code, _UNKNOWN_AUTHORITY)
    if isinstance(cause, ssl.SSLError):
        return _TLS.get(cause.reason)
    if isinstance(cause, socket.gaierror):
        return _RESOLVER.get(cause.errno or 0)
    if type(cause) is OSError and cause.errno is None:  # the loops' one error for all addresses of a name
        return _NO_LISTENER
    return next((remedy for kind, remedy in _KERNEL.items() if isinstance(cause, kind)), None)
