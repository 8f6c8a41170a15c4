"""RFC 9113 §8: which messages are sound, and what of them HTTP/1.1 has in another place; both ways.

Whatever could be read in another way once it is written as HTTP/1.1 is refused, so that nobody smuggles a request
behind a request (§10.3). The rules for methods, hosts and targets are those of HTTP/1.1 requests.
Not checked here: which paths are refused, credentials, and what of trailers goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..errors import (
    BadRequest,
    ExpectationFailed,
    HeaderTooLarge,
    ProxyError,
    TargetTooLong,
    UpstreamProtocolError,
)
from ..http.headers import Field, Fields
from ..http.request_head import (
    FEWER_FIELDS,
    METHODS,
    SOUND_HOSTS,
    check_host,
    refuse_method,
)
from .field_rules import (
    CONNECTION_FIELDS,
    Bounds,
    bound_size,
    join_cookies,
    read_content_length,
    single_fields,
    split,
)

_REQUEST_FIELDS = frozenset({b":method", b":scheme", b":authority", b":path"})
_SCHEMES = frozenset({b"http", b"https"})
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
_STATUS = re.compile(rb"[2-5][0-9]{2}")
_TARGET = re.compile(rb"/[\x21\x22\x24-\x7e]*")  # llhttp takes the same: visible, and no fragment


@dataclass(frozen=True, slots=True)
class Request:
    """A request's head as HTTP/1.1 has it, ``host`` first among its ``headers``.

    ``content_length`` is None where the head does not say; ``size`` is in bytes, with ``ENTRY_OVERHEAD``.
    """

    method: str
    target: bytes = field(repr=False)
    headers: list[Field] = field(repr=False)
    content_length: int | None
    expects_continue: bool
    size: int
    version: str = "2"


class BodyLength:
    """Whether DATA is what Content-Length has said (§8.1.1); without it, anything is."""

    __slots__ = ("left",)

    def __init__(self, content_length: int | None) -> None:
        self.left = content_length

    def count(self, size: int) -> bool:
        """``size`` bytes have come; False where that is too many."""
        if self.left is None:
            return True
        self.left -= size
        return self.left >= 0

    def end(self) -> bool:
        """The message has ended; False where that is too early."""
        return not self.left


def read_request(fields: Fields, bounds: Bounds, *, ended: bool) -> Request:
    """The request that ``fields`` begin, pseudo-header fields first; ``ended`` if there is no body.

    Raises a ``RequestRefused`` with the status that its fault has in HTTP/1.1.
    """
    size = bound_size(fields, bounds)
    pseudo, headers = split(fields, _REQUEST_FIELDS, BadRequest)
    method = _read_method(pseudo)
    target = _read_target(pseudo, method, bounds.max_target_bytes)
    single = single_fields(headers, BadRequest)
    host = _read_host(pseudo.get(b":authority"), single.get(b"host"))
    headers = [(b"host", host), *(field for field in join_cookies(headers, bounds) if field[0] != b"host")]
    if len(headers) > bounds.max_header_fields:
        raise HeaderTooLarge("too many header fields", remedy=FEWER_FIELDS)
    length = read_content_length(single.get(b"content-length"), BadRequest)
    if ended and length:
        raise BadRequest("no body, and a Content-Length")
    expects = single.get(b"expect")
    if expects is not None and expects.lower() != b"100-continue":
        raise ExpectationFailed("an expectation other than 100-continue")
    return Request(method, target, headers, length, expects is not None and not ended, size)


def find_method(fields: Fields) -> str:
    """Of a request that may be faulty: empty where it has none."""
    method = next((value for name, value in fields if name == b":method"), b"")
    return method.decode("ascii") if _METHOD.fullmatch(method) else ""


def read_response(fields: Fields, bounds: Bounds) -> tuple[int, list[Field], int | None]:
    """``(status, headers, content_length)`` of a final response. Raises UpstreamProtocolError."""
    try:
        bound_size(fields, bounds)
    except HeaderTooLarge as error:
        raise UpstreamProtocolError("the response's header fields are too large") from error
    pseudo, headers = split(fields, frozenset({b":status"}), UpstreamProtocolError)
    status = pseudo.get(b":status", b"")
    if not _STATUS.fullmatch(status):
        raise UpstreamProtocolError("the response has no final status")
    if len(headers) > bounds.max_header_fields:
        raise UpstreamProtocolError("the response has too many header fields")
    single = single_fields(headers, UpstreamProtocolError)
    length = read_content_length(single.get(b"content-length"), UpstreamProtocolError)
    return int(status), headers, length


def read_trailers(fields: Fields, bounds: Bounds, refusal: type[ProxyError] = BadRequest) -> list[Field]:
    """Trailers that are well-formed (§8.1). Raises ``refusal``."""
    try:
        bound_size(fields, bounds)
    except HeaderTooLarge as error:
        raise refusal("too large trailers") from error
    if len(fields) > bounds.max_header_fields:
        raise refusal("too many trailers")
    _, trailers = split(fields, frozenset(), refusal)
    return trailers


def build_request(method: str, target: bytes, fields: Iterable[Field], *, secure: bool) -> list[Field]:
    """A request's fields, of those that HTTP/1.1 would have: ``host`` becomes ``:authority``."""
    host = b""
    headers: list[Field] = []
    for each in fields:
        name = each[0]
        if name == b"host":
            host = each[1]
        elif name not in CONNECTION_FIELDS and (name != b"te" or each[1].lower() == b"trailers"):
            headers.append(each)
    scheme = b"https" if secure else b"http"
    pseudo = [(b":method", method.encode("ascii")), (b":scheme", scheme), (b":authority", host)]
    return [*pseudo, (b":path", target), *headers]


def build_response(status: int, fields: Iterable[Field]) -> list[Field]:
    """A response's fields, of those that HTTP/1.1 would have."""
    kept = [field for field in fields if field[0] not in CONNECTION_FIELDS]
    return [(b":status", b"%d" % status), *kept]


def _read_method(pseudo: dict[bytes, bytes]) -> str:
    method = pseudo.get(b":method", b"")
    if not _METHOD.fullmatch(method):
        raise BadRequest("no method")
    name = method.decode("ascii")
    if name not in METHODS:
        raise refuse_method(name)
    return name


def _read_target(pseudo: dict[bytes, bytes], method: str, most: int) -> bytes:
    """§8.3.1: origin-form, or ``*``."""
    if pseudo.get(b":scheme", b"").lower() not in _SCHEMES:
        raise BadRequest("the scheme is neither http nor https")
    target = pseudo.get(b":path", b"")
    if len(target) > most:
        raise TargetTooLong("the target is too long")
    if not _TARGET.fullmatch(target) and not (target == b"*" and method == "OPTIONS"):
        raise BadRequest("the target is no path")
    return target


def _read_host(authority: bytes | None, host: bytes | None) -> bytes:
    """§8.3.1: either, or both if they name the same; without userinfo, which ``check_host`` refuses."""
    if authority is None:
        authority = host
    if authority is None:
        raise BadRequest("no Host")
    if host is not None and host.lower() != authority.lower():
        raise BadRequest(":authority and Host differ")
    if authority not in SOUND_HOSTS:
        check_host(authority)
    return authority
