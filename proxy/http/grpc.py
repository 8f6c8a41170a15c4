"""gRPC over HTTP/2, as far as somebody in between has to speak it (grpc/grpc: doc/PROTOCOL-HTTP2.md).

A call is refused by its status in the one block of fields of a "Trailers-Only" response, whose HTTP status is 200.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import BadRequest, ProxyError
from .headers import Field, Fields
from .problem import Problem

TIMEOUT = b"grpc-timeout"
CODE = b"x-obo-code"

_CONTENT_TYPE = re.compile(rb"application/grpc(?:[+; \t].*)?", re.IGNORECASE)
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}  # s
_MOST_DIGITS = 99_999_999
_UNPRINTABLE = re.compile(rb"[^ -$&-~]")  # and the percent sign
_REPLACED = frozenset({b"content-type", b"content-length"})

_UNKNOWN = 2
_UNAUTHENTICATED = b"16"
# By HTTP status, as in grpc/grpc: doc/http-grpc-status-mapping.md. That is for clients, who know nothing more: what it
# leaves out, and 400 and 504, are as google/rpc/code.proto says of the HTTP status that belongs to each code.
_STATUSES = {
    400: 3,  # INVALID_ARGUMENT
    401: 16,  # UNAUTHENTICATED
    403: 7,  # PERMISSION_DENIED
    404: 12,  # UNIMPLEMENTED
    405: 12,
    408: 4,  # DEADLINE_EXCEEDED
    413: 8,  # RESOURCE_EXHAUSTED
    414: 8,
    417: 3,
    429: 14,  # UNAVAILABLE
    431: 8,
    500: 13,  # INTERNAL
    501: 12,
    502: 14,
    503: 14,
    504: 4,
    505: 12,
    508: 13,
}


def is_grpc(content_types: Sequence[bytes]) -> bool:
    """Whether a request with these values of ``Content-Type`` is a gRPC call; gRPC-Web's are none."""
    return len(content_types) == 1 and _CONTENT_TYPE.fullmatch(content_types[0]) is not None


def parse_timeout(given: Sequence[bytes]) -> float | None:
    """``grpc-timeout`` in seconds; None where there is none. Raises BadRequest where it is malformed, or not alone."""
    if not given:
        return None
    match = _TIMEOUT.fullmatch(given[0])
    if match is None or len(given) > 1:
        raise BadRequest("grpc-timeout is not one number of at most eight digits with its unit")
    return int(match[1]) * _UNITS[match[2]]


def format_timeout(seconds: float) -> bytes:
    """In the finest unit that eight digits have room for, rounded down; below 0 there is nothing left."""
    left = max(0.0, seconds)
    for unit in (b"n", b"u", b"m", b"S", b"M", b"H"):
        number = int(left / _UNITS[unit])
        if number <= _MOST_DIGITS:
            return b"%d%b" % (number, unit)
    return b"%dH" % _MOST_DIGITS


def is_unauthenticated(fields: Fields) -> bool:
    """Whether the trailers say so, or a head that stands for them (doc/PROTOCOL-HTTP2.md, "Trailers-Only")."""
    return (b"grpc-status", _UNAUTHENTICATED) in fields


def find_status(http_status: int) -> int:
    """``grpc-status`` for a refusal that is this status in HTTP."""
    return _STATUSES.get(http_status, _UNKNOWN)


def encode_message(text: str) -> bytes:
    """``grpc-message``: UTF-8, percent-encoded but for printable ASCII."""
    return _UNPRINTABLE.sub(lambda match: b"%%%02X" % match[0][0], text.encode())


def build_refusal(error: ProxyError, problem: Problem) -> Problem:
    """A "Trailers-Only" response in place of ``problem``, of which the fields are kept but those of its body."""
    _, fields, _ = problem
    return 200, [*_build_status(error), *(field for field in fields if field[0] not in _REPLACED)], b""


def _build_status(error: ProxyError) -> list[Field]:
    return [
        (b"content-type", b"application/grpc"),
        (b"grpc-status", b"%d" % find_status(error.status)),
        (b"grpc-message", encode_message(f"{error.code}: {error.detail}")),
        (CODE, error.code.encode("ascii")),
    ]


def replace_timeout(fields: Fields, seconds: float) -> list[Field]:
    """``fields`` with what is left in place of their ``grpc-timeout``."""
    left = (TIMEOUT, format_timeout(seconds))
    return [left if name == TIMEOUT else (name, value) for name, value in fields]
