"""What is advised where a connection fails."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from proxy.diagnosis.network import advise
from proxy.errors import UpstreamUnreachable


def build_refused_certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code = code
    return error


def build_tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "what OpenSSL says")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        (build_refused_certificate(9), "begins later"),
        (build_refused_certificate(10), "has ended"),
        (build_refused_certificate(62), "another name"),
        (build_refused_certificate(64), "another address"),
        (build_refused_certificate(18), "ca_file"),
        (build_tls_error("WRONG_VERSION_NUMBER"), "speaks no TLS"),
        (build_tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "set cert_file and key_file"),
        (build_tls_error("UNSUPPORTED_PROTOCOL"), "See that the API runs"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "does not resolve"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "resolv.conf"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "no socket"),
        (PermissionError(errno.EACCES, "Permission denied"), "its mode or owner"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "Nothing listens"),
        (OSError("Multiple exceptions: [Errno 111] …, [Errno 111] …"), "Nothing listens"),
        (ConnectionAbortedError("the handshake was not finished"), "See that the API runs"),
        (TimeoutError(), "firewall"),
        (None, "See that the API runs"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("suppressed", [False, True], ids=["told", "suppressed"])
def test_network_advice(cause: Exception | None, remedy: str, suppressed: bool) -> None:
    """What kernel, resolver and TLS raised is read for the reader, also where their texts are hidden."""
    error = UpstreamUnreachable("no connection to a:1")
    if suppressed:
        error.__context__, error.__suppress_context__ = cause, True
    else:
        error.__cause__ = cause
    assert remedy in advise(error)
