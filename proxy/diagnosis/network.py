"""What keeps a connection from being made, by what the resolver, the kernel and TLS say of it."""

from __future__ import annotations

from ..errors import ProxyError

_ADVICE = (
    ("certificate has expired", "Its certificate has ended: renew it there."),
    ("certificate is not yet valid", "Its certificate begins later: compare the clocks."),
    (
        "hostname mismatch",
        "Its certificate is for another name: call it by that name, or set the route's tls.server_name.",
    ),
    (
        "certificate is not valid for",
        "Its certificate is for another address: call it by the name in the certificate.",
    ),
    (
        "certificate verify failed",
        "The authority that signed its certificate is not known here: name its PEM file as ca_file.",
    ),
    ("wrong version number", "What listens there speaks no TLS: correct the scheme (http) or the port."),
    ("record layer failure", "What listens there speaks no TLS: correct the scheme (http) or the port."),
    ("certificate required", "It asks for a certificate of ours: set cert_file and key_file."),
    ("name or service not known", "The name does not resolve here: correct it, or look at the resolver."),
    ("name resolution", "The name does not resolve here: look at the resolver (/etc/resolv.conf)."),
    ("no address associated", "The name has no address: correct it, or look at the resolver."),
    ("no such file", "There is no socket of this path: correct it, or start what makes it."),
    ("permission denied", "The socket may not be opened by this user: correct its mode or owner."),
    ("connect call failed", "Nothing listens there: start it, or correct the host and the port."),
    ("connection refused", "Nothing listens there: start it, or correct the host and the port."),
    (
        "all connection attempts failed",
        "Nothing listens there: correct host and port. If only an outbound proxy leads there, set proxy_url.",
    ),
    ("within", "Nothing answered in time: look for a firewall; if only a proxy leads there, set proxy_url."),
)


def advise(error: ProxyError) -> str:
    """The remedy for ``error``, a connection that was not made; else what usually helps."""
    said = str(error).lower()
    return next((remedy for text, remedy in _ADVICE if text in said), "") or error.remedy
