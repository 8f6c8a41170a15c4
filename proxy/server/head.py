"""RFC 9112 §3, §6 and RFC 9110 §7.2, §10.1.1: which request heads are served.

The parser (llhttp) has settled the grammar of the lines; here stands what it leaves open and a proxy must
not: one valid ``Host``, one framing, a known method and version, a target that names a path here.
Not checked here: which paths are refused, credentials, and what goes upstream.
"""

from __future__ import annotations

import re
from typing import Final

from ..errors import (
    BadRequest,
    ExpectationFailed,
    HeaderTooLarge,
    NotImplementedHere,
    TargetTooLong,
    VersionNotSupported,
)
from ..http.headers import Field, Fields
from ..http.request_head import (
    CONTENT_LENGTH,
    FEWER_FIELDS,
    METHODS,
    SHORTER_LINES,
    SOUND_HOSTS,
    check_host,
    refuse_method,
)
from .limits import Limits

METHOD_NAMES: Final = {method.encode("ascii"): method for method in METHODS}
_USUAL_FIELDS: Final = (
    b"accept",
    b"accept-encoding",
    b"accept-language",
    b"authorization",
    b"cache-control",
    b"connection",
    b"content-length",
    b"content-type",
    b"cookie",
    b"dpop",
    b"forwarded",
    b"host",
    b"origin",
    b"referer",
    b"traceparent",
    b"tracestate",
    b"transfer-encoding",
    b"user-agent",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
    b"x-request-id",
)
# Their names by how they are mostly written. Each is one object for all requests, so that its hash is computed once.
FIELD_NAMES: Final = {written: name for name in _USUAL_FIELDS for written in (name, name.title())}
SINGLE_FIELDS: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
ABSOLUTE_FORM: Final = re.compile(rb"https?://([^/?#]*)([^#]*)", re.IGNORECASE)
_HASH: Final = ord("#")  # as a number: ``b"#" in target`` makes an exception first, and drops it
ANY_SIZE: Final = 1 << 62  # of a head that took several reads
CHUNKED: Final = -1  # in place of the length of a body that tells its end by itself


# What the server needs of a request head: the target in origin-form, or ``*``; the bytes of its body, or ``CHUNKED``;
# whether ``100 Continue`` is expected; whether the request may upgrade.
Head = tuple[bytes, int, bool, bool]


def read_head(
    method: str, target: bytes, version: str, headers: list[Field], limits: Limits, *, size: int
) -> Head:
    """The head of a request that may be served; ``headers`` have lower-case names, ``size`` bytes at the most.

    Raises a ``RequestRefused`` with the status that RFC 9110 and 9112 give to the fault.
    """
    if version not in ("1.1", "1.0"):
        raise VersionNotSupported(f"HTTP/{version}")
    if method not in METHODS:
        raise refuse_method(method)
    if len(target) > limits.max_target_bytes:
        raise TargetTooLong("the target is too long")
    if len(headers) > limits.max_header_fields:
        raise HeaderTooLarge("too many header fields", remedy=FEWER_FIELDS)
    if size > limits.max_field_bytes or size > limits.max_header_bytes:  # else nothing in it can be too large
        _bound_size(headers, limits)
    fields = _single_fields(headers)
    host = fields.get(b"host")
    if host not in SOUND_HOSTS:
        host = _check_host(host, version)
    length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    body_length = 0 if length is None and coding is None else _read_framing(coding, length, version)
    if target[:1] != b"/" or _HASH in target:
        target = _read_target(method, target, host or b"")
    expects_continue = b"expect" in fields and _expects_continue(fields[b"expect"], version)
    may_upgrade = method == "GET" and version == "1.1" and coding is None and length in (None, b"0")
    return target, body_length, expects_continue, may_upgrade


def names_websocket(headers: Fields) -> bool:
    """Whether ``Upgrade`` asks for nothing but a websocket (RFC 6455 §4.2.1)."""
    return [value.lower() for name, value in headers if name == b"upgrade"] == [b"websocket"]


def _bound_size(headers: Fields, limits: Limits) -> None:
    lines = [len(name) + len(value) + 4 for name, value in headers]
    if max(lines, default=0) > limits.max_field_bytes:
        raise HeaderTooLarge("a field line is too long", remedy=SHORTER_LINES)
    if sum(lines) > limits.max_header_bytes:
        raise HeaderTooLarge("too large header fields")


def _single_fields(headers: list[Field]) -> dict[bytes, bytes]:
    """The fields that may stand once."""
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in SINGLE_FIELDS:
            if name in fields:
                raise BadRequest(f"more than one {name.decode()}")
            fields[name] = value
    return fields


def _check_host(host: bytes | None, version: str) -> bytes:
    """Exactly one, and valid (RFC 9112 §3.2); HTTP/1.0 does not know it."""
    if host is None:
        if version == "1.0":
            return b""
        raise BadRequest("no Host")
    check_host(host)
    return host


def _read_framing(coding: bytes | None, length: bytes | None, version: str) -> int:
    """How long the body is. RFC 9112 §6.1: what could be framed in two ways is not framed at all."""
    if coding is None:
        if length is None or not CONTENT_LENGTH.fullmatch(length):
            raise BadRequest("Content-Length is not a number")
        return int(length)
    if version == "1.0":
        raise BadRequest("Transfer-Encoding in HTTP/1.0")
    if length is not None:
        raise BadRequest("Content-Length and Transfer-Encoding")
    if coding.lower() != b"chunked":
        raise NotImplementedHere("a transfer coding other than chunked")
    return CHUNKED


def _expects_continue(expectation: bytes, version: str) -> bool:
    """RFC 9110 §10.1.1; in HTTP/1.0 the expectation is to be ignored."""
    if expectation.lower() != b"100-continue":
        raise ExpectationFailed("an expectation other than 100-continue")
    return version == "1.1"


def _read_target(method: str, target: bytes, host: bytes) -> bytes:
    """RFC 9112 §3.2.2 and §3.2.4; the absolute-form may only name the host that ``Host`` names."""
    if target == b"*" and method == "OPTIONS":
        return target
    match = ABSOLUTE_FORM.fullmatch(target)
    if match is None or match[1].lower() != host.lower() or not host:
        raise BadRequest("the target is no path of this host")
    return match[2] if match[2].startswith(b"/") else b"/" + match[2]
