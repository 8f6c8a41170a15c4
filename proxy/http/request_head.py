"""RFC 9110 §7.1, §7.2, §8.6, §9: what a request's head must be in any version of HTTP, so that it is served.

Not checked here: which paths are refused, credentials, and what goes upstream.
"""

from __future__ import annotations

import re
from typing import Final

from ..errors import BadRequest, MethodNotAllowed, NotImplementedHere

# The HTTP method registry, without CONNECT and TRACE.
METHODS: Final = frozenset(
    [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "OPTIONS",
        "PATCH",
        "QUERY",
        "ACL",
        "BIND",
        "CHECKOUT",
        "COPY",
        "LINK",
        "LOCK",
        "MERGE",
        "MKACTIVITY",
        "MKCALENDAR",
        "MKCOL",
        "MOVE",
        "PROPFIND",
        "PROPPATCH",
        "REBIND",
        "REPORT",
        "SEARCH",
        "UNBIND",
        "UNLINK",
        "UNLOCK",
    ]
)
FORBIDDEN_METHODS: Final = frozenset({"CONNECT", "TRACE"})  # a tunnel; an echo of the exchanged token

HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
CONTENT_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

FEWER_FIELDS: Final = "Send fewer header fields, or raise listen.max_header_fields."
SHORTER_LINES: Final = "Send shorter header fields: a single one has a limit of its own, which is fixed."

_KNOWN_HOSTS: Final = 1024  # a listener is called by few names; who invents more gains nothing
SOUND_HOSTS: Final[set[bytes]] = set()  # those that ``check_host`` has let pass


def refuse_method(method: str) -> MethodNotAllowed | NotImplementedHere:
    """Of one that is not in ``METHODS``."""
    refusal = MethodNotAllowed if method in FORBIDDEN_METHODS else NotImplementedHere
    return refusal(f"method {method}")


def check_host(host: bytes) -> None:
    """Raises BadRequest for what is not valid (RFC 9110 §7.2)."""
    match = HOST.fullmatch(host)
    if match is None or len(host) > 261 or int(match[1] or b"0") > 65535:  # RFC 1035 §2.3.4, and a port
        raise BadRequest("Host is not host[:port]")
    if len(SOUND_HOSTS) < _KNOWN_HOSTS:
        SOUND_HOSTS.add(host)
