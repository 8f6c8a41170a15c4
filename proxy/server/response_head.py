"""RFC 9112 §4, §6: the head of a response, and how its body is framed.

Framing is ours alone: what the application says of ``Transfer-Encoding``, ``Connection`` and
``Keep-Alive`` is not written out, except that ``Connection: close`` closes.
"""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import Final

from ..http.headers import Field

STATUS_LINES: Final = {
    status: b"HTTP/1.1 %d %s" % (status, phrase.encode())
    for status in range(200, 600)
    for phrase in [HTTPStatus(status).phrase if status in set(HTTPStatus) else ""]
}

_FRAMING_FIELDS: Final = frozenset({b"transfer-encoding", b"connection", b"keep-alive", b"content-length"})
BODILESS: Final = frozenset({204, 304})
# As numbers: ``b"\0" in data`` makes an exception first, and drops it.
_NUL: Final = ord("\0")
_LF: Final = ord("\n")
_CR: Final = ord("\r")


class Framing(Enum):
    """How the end of a response's body is told (RFC 9112 §6.3)."""

    NONE = 0  # there is no body, whatever the application gives
    LENGTH = 1
    CHUNKED = 2
    CLOSE = 3


# By names of their own: before Python 3.12 asking the class for a member takes as long as a call.
NONE: Final = Framing.NONE
LENGTH: Final = Framing.LENGTH
CHUNKED: Final = Framing.CHUNKED
CLOSE: Final = Framing.CLOSE

# The bytes of a head, the framing, the body's length in bytes where that is ``LENGTH``, and whether the
# connection is kept. No class of its own: making one would cost as much as a third of the head.
ResponseHead = tuple[bytes, Framing, int, bool]


def build_response_head(
    status: int, headers: list[Field], *, method: str, version: str, keep_alive: bool
) -> ResponseHead:
    """Raises ValueError for a head that cannot be written without harm."""
    lines = [STATUS_LINES[status]]
    length: int | None = None
    for name, value in headers:
        if name not in _FRAMING_FIELDS:
            lines.append(name + b": " + value)
        elif name == b"connection":
            keep_alive = keep_alive and value.lower() != b"close"
        elif name == b"content-length" and status != 204:  # RFC 9110 §8.6
            if length is not None or not value.isdigit():
                raise ValueError("Content-Length is not one number")
            length = int(value)
            lines.append(name + b": " + value)
    framing = LENGTH
    if method == "HEAD" or status in BODILESS:
        framing = NONE
    elif length is None:
        framing = CHUNKED if version == "1.1" else CLOSE
        keep_alive = keep_alive and framing is CHUNKED
    if framing is CHUNKED:
        lines.append(b"transfer-encoding: chunked")
    if not keep_alive:
        lines.append(b"connection: close")
    return _join(lines), framing, length or 0, keep_alive


def _join(lines: list[bytes]) -> bytes:
    text = b"".join(lines)  # to look at once, instead of at each
    if _CR in text or _LF in text or _NUL in text:
        raise ValueError("a line break or NUL in a header field")
    lines.append(b"\r\n")
    return b"\r\n".join(lines)
