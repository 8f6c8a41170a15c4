"""RFC 9112 §4, §6: the head of a response, and how its body is framed.

Framing is ours alone: what the application says of ``Transfer-Encoding``, ``Connection`` and
``Keep-Alive`` is not written out, except that ``Connection: close`` closes.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from http import HTTPStatus
from typing import NamedTuple

HOP_BY_HOP = frozenset({b"transfer-encoding", b"connection", b"keep-alive"})
STATUS_LINES = {
    status: b"HTTP/1.1 %d %s" % (status, phrase.encode())
    for status in range(200, 600)
    for phrase in [HTTPStatus(status).phrase if status in set(HTTPStatus) else ""]
}


class Framing(Enum):
    """How the end of a response's body is told (RFC 9112 §6.3)."""

    NONE = 0  # there is no body, whatever the application gives
    LENGTH = 1
    CHUNKED = 2
    CLOSE = 3


class ResponseHead(NamedTuple):
    """The bytes of a head; ``length`` of the body in bytes where ``framing`` is ``LENGTH``."""

    data: bytes
    framing: Framing
    length: int
    keep_alive: bool


def build_response_head(
    status: int, headers: Iterable[tuple[bytes, bytes]], *, method: str, version: str, keep_alive: bool
) -> ResponseHead:
    """Raises ValueError for a head that cannot be written without harm."""
    lines = [STATUS_LINES[status]]
    length: int | None = None
    for name, value in headers:
        if name in HOP_BY_HOP:
            keep_alive = keep_alive and not (name == b"connection" and value.lower() == b"close")
            continue
        if name == b"content-length":
            if status == 204:  # RFC 9110 §8.6
                continue
            length = _parse_length(value, length)
        lines.append(name + b": " + value)
    framing = _choose_framing(status, length, method, version)
    if framing is Framing.CHUNKED:
        lines.append(b"transfer-encoding: chunked")
    keep_alive = keep_alive and framing is not Framing.CLOSE
    if not keep_alive:
        lines.append(b"connection: close")
    return ResponseHead(_join(lines), framing, length or 0, keep_alive)


def _parse_length(value: bytes, before: int | None) -> int:
    if before is not None or not value.isdigit():
        raise ValueError("Content-Length is not one number")
    return int(value)


def _choose_framing(status: int, length: int | None, method: str, version: str) -> Framing:
    if method == "HEAD" or status in {204, 304}:
        return Framing.NONE
    if length is not None:
        return Framing.LENGTH
    return Framing.CHUNKED if version == "1.1" else Framing.CLOSE


def _join(lines: list[bytes]) -> bytes:
    data = b"\r\n".join(lines) + b"\r\n\r\n"
    breaks = len(lines) + 1
    if data.count(b"\n") != breaks or data.count(b"\r") != breaks or b"\0" in data:
        raise ValueError("a line break or NUL in a header field")
    return data
