"""RFC 9113 §8.2: which fields are sound, in any message, and how many there may be.

What is refused by nobody else would be another field, or another message, once it is written as HTTP/1.1 (§10.3).
"""

from __future__ import annotations

import re
from typing import Protocol

from ..errors import HeaderTooLarge, ProxyError
from ..http.headers import Field, Fields
from ..http.request_head import CONTENT_LENGTH, SHORTER_LINES

ENTRY_OVERHEAD = 32  # bytes that each field counts for beyond its own (RFC 9113 §6.5.2)
# §8.2.2: what belongs to a connection of HTTP/1.1; ``te`` may stand with one value.
CONNECTION_FIELDS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)

_SINGLE_FIELDS = frozenset({b"host", b"content-length", b"expect"})
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
# Neither empty space at its ends nor a control character anywhere (RFC 9110 §5.5).
_VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")

_KNOWN_NAMES = 1024  # who invents more gains nothing
_KNOWN_NAME = 64  # bytes
_sound_names: set[bytes] = set()


class Bounds(Protocol):
    """What a head may take: the server's ``Limits``."""

    @property
    def max_header_bytes(self) -> int: ...

    @property
    def max_header_fields(self) -> int: ...

    @property
    def max_field_bytes(self) -> int: ...

    @property
    def max_target_bytes(self) -> int: ...


def split(
    fields: Fields, known: frozenset[bytes], refusal: type[ProxyError]
) -> tuple[dict[bytes, bytes], list[Field]]:
    """Pseudo-header fields by name, each once and before all others (§8.3), and the others, each sound (§8.2).

    Raises ``refusal`` unless all are, and all pseudo-header fields ``known``.
    """
    pseudo: dict[bytes, bytes] = {}
    headers: list[Field] = []
    for field in fields:
        name, value = field
        if name[:1] == b":":
            if headers or name in pseudo or name not in known:
                raise refusal("a pseudo-header field that is unknown, repeated or late")
            pseudo[name] = value
        else:
            if name not in _sound_names:
                _check_name(name, refusal)
            headers.append(field)
            if name == b"te" and value.lower() != b"trailers":
                raise refusal("TE other than trailers")
        if not _VALUE.fullmatch(value):
            raise refusal("a character that no field value may have")
    return pseudo, headers


def _check_name(name: bytes, refusal: type[ProxyError]) -> None:
    if not _NAME.fullmatch(name):
        raise refusal("a field name that is not a token in lower case")
    if name in CONNECTION_FIELDS:
        raise refusal("a field of HTTP/1.1 connections")
    if len(_sound_names) < _KNOWN_NAMES and len(name) <= _KNOWN_NAME:
        _sound_names.add(name)


def bound_size(fields: Fields, bounds: Bounds) -> int:
    """Of all, with ``ENTRY_OVERHEAD``. Raises HeaderTooLarge."""
    size = 0
    for name, value in fields:
        size += len(name) + len(value) + ENTRY_OVERHEAD
    if size > bounds.max_header_bytes:
        raise HeaderTooLarge("too large header fields")
    if size > bounds.max_field_bytes:  # else none of them is too long
        for field in fields:
            bound_field(field, bounds)
    return size


def bound_field(field: Field, bounds: Bounds) -> None:
    """Raises HeaderTooLarge."""
    if len(field[0]) + len(field[1]) > bounds.max_field_bytes:
        raise HeaderTooLarge("a field is too long", remedy=SHORTER_LINES)


def single_fields(headers: Fields, refusal: type[ProxyError]) -> dict[bytes, bytes]:
    """The fields that may stand once. Raises ``refusal``."""
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _SINGLE_FIELDS:
            if name in fields:
                raise refusal(f"more than one {name.decode()}")
            fields[name] = value
    return fields


def read_content_length(length: bytes | None, refusal: type[ProxyError]) -> int | None:
    """Bytes (RFC 9110 §8.6). Raises ``refusal``."""
    if length is None:
        return None
    if not CONTENT_LENGTH.fullmatch(length):
        raise refusal("Content-Length is not a number")
    return int(length)


def join_cookies(headers: list[Field], bounds: Bounds) -> list[Field]:
    """§8.2.3: crumbs become the one field that HTTP/1.1 has, where the first one stood. Raises HeaderTooLarge."""
    crumbs = [value for name, value in headers if name == b"cookie"]
    if len(crumbs) < 2:
        return headers
    cookie = (b"cookie", b"; ".join(crumbs))
    bound_field(cookie, bounds)
    first = next(at for at, (name, _) in enumerate(headers) if name == b"cookie")
    joined = [field for field in headers if field[0] != b"cookie"]
    joined.insert(first, cookie)
    return joined
