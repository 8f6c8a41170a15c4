"""Targets on the wire: request heads, header fields, paths, upstreams' responses."""

from __future__ import annotations

import itertools
import re
from urllib.parse import unquote_to_bytes

from proxy.config.models import Listen
from proxy.errors import NoRoute, PathRefused, ProxyError, UpstreamBroken, UpstreamProtocolError
from proxy.http.forwarding import Forwarding
from proxy.http.headers import build_request_head
from proxy.http.routes import Pattern, RouteTable
from proxy.server.limits import Limits
from proxy.server.reader import RequestReader
from proxy.upstream.response_parser import ResponseParser
from tests.support.strict_http import (
    Cursor,
    Incomplete,
    Malformed,
    read_request,
    read_requests,
    read_response,
)

REFUSALS = {400, 405, 408, 413, 414, 417, 431, 501, 505}


class Requests:
    """What a ``RequestReader`` tells; ``whole`` are method, target and body of those that ended."""

    def __init__(self) -> None:
        self.whole: list[tuple[bytes, bytes, bytes]] = []
        self._body = bytearray()
        self.reader = RequestReader(self, Limits.of(Listen()))

    def on_request(self) -> None:
        self._body.clear()

    def on_body_piece(self, data: bytes) -> None:
        self._body += data

    def on_end(self) -> None:
        reader = self.reader
        self.whole.append((reader.method.encode(), reader.head.target, bytes(self._body)))

    def read(self, *pieces: bytes) -> bool:
        """Whether all was taken."""
        try:
            for piece in pieces:
                self.reader.feed(piece)
        except ProxyError as error:
            require(error.status in REFUSALS, error)
            return False
        return True


def require(holds: bool, what: object) -> None:
    """Fails unless it holds."""
    if not holds:
        raise AssertionError(what)


def cut(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Its first byte says where the rest is cut in two."""
    place, rest = data[:1], data[1:]
    at = place[0] * len(rest) // 256 if place else 0
    return rest, rest[:at], rest[at:]


def read_head(data: bytes) -> None:
    """What is read does not depend on segments, and is what RFC 9112 reads in it."""
    data, first, second = cut(data)
    at_once, in_two = Requests(), Requests()
    assert at_once.read(data) == in_two.read(first, second)
    assert at_once.whole == in_two.whole
    valid, _ = read_requests(data, tolerant=True)
    for mine, theirs in itertools.zip_longest(at_once.whole, valid[: len(at_once.whole)]):
        assert theirs is not None, f"{mine} is no request"
        assert (mine[0], mine[2]) == (theirs.method, theirs.body)
        assert theirs.target.endswith(mine[1]) or mine[1].startswith(b"/?"), (mine[1], theirs.target)


_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9a-z]{1,40}):([\x21-\x7e\x80-\xff]{0,60})")
_FORWARDING = Forwarding()
_NEVER = re.compile(
    rb"connection|keep-alive|proxy-(?:authenticate|authentication-info|authorization|connection)|te|trailer"
    rb"|transfer-encoding|content-length|upgrade|http2-settings|authorization|dpop|host|via|expect|forwarded|x-forwarded-.*|x-auth-.*|x-remote-.*|remote-.*|x-okta-.*|x-original-.*|x-real-ip"
)
_OURS = [(b"host", b"upstream"), (b"authorization", b"Bearer ours"), (b"content-length", b"0")]


def rewrite_headers(data: bytes) -> None:
    """What goes upstream is a part of what came, without what must not go, and reads back as it was meant."""
    fields = [(match[1], match[2]) for match in map(_FIELD.fullmatch, data.split(b"\n")) if match]
    kept, _ = _FORWARDING.split("192.0.2.1", fields)
    rest = iter(fields)
    assert all(field in rest for field in kept), "neither invented nor moved"
    nominated = {
        one.strip() for name, value in fields if name == b"connection" for one in value.lower().split(b",")
    }
    for name, _ in kept:
        assert not _NEVER.fullmatch(name.replace(b"_", b"-")), name
        assert name not in nominated - {b"close", b"keep-alive"}, name
    request = read_request(Cursor(build_request_head("GET", b"/", kept + _OURS)))
    assert request.fields == kept + _OURS


def resolve(path: bytes) -> bytes:
    """RFC 3986 §5.2.4."""
    segments: list[bytes] = []
    for segment in path.split(b"/")[1:]:
        if segment == b"..":
            del segments[-1:]
        elif segment != b".":
            segments.append(segment)
    return b"/" + b"/".join(segments)


_GUARDED = (b"/", b"/orders", b"/orders/admin", b"/public")
_TABLE = RouteTable([Pattern(path, None, frozenset(), path) for path in _GUARDED])
_READINGS = (
    unquote_to_bytes,
    lambda path: unquote_to_bytes(unquote_to_bytes(path)),
    lambda path: re.sub(rb";[^/]*", b"", path),
    lambda path: re.sub(rb"//+", b"/", path),
    lambda path: path.replace(b"\\", b"/"),
    lambda path: path.partition(b"#")[0],
    lambda path: path.partition(b"?")[0],
    lambda path: b"/".join(name.strip(b" ").rstrip(b". ") or name.strip(b" ") for name in path.split(b"/")),
    lambda path: path.partition(b"\0")[0],
    resolve,
)


def find(path: bytes) -> bytes:
    """The longest guarded prefix."""
    fits = [one for one in _GUARDED if (path + b"/").startswith(one.rstrip(b"/") + b"/")]
    return max(fits, key=len, default=b"")


def refuse_path(data: bytes) -> None:
    """A path that is passed on leads to the same route however an upstream reads it."""
    path = b"/" + data
    try:
        route, _ = _TABLE.match(path, b"", "GET")
    except (PathRefused, NoRoute):
        return
    for order in itertools.permutations(_READINGS, 3):
        read = path
        for reading in order:
            read = reading(read)
            assert find(read) == route, (path, read)


def read_response_of_upstream(data: bytes) -> None:
    """Segments change nothing, and a response after which the connection is used again ends where RFC 9112 says."""
    data, first, second = cut(data)
    bodiless = len(data) % 4 == 0
    at_once, in_two = (take(bodiless, *pieces) for pieces in ([data], [first, second]))
    if at_once is None or in_two is None:
        assert at_once is in_two or not (at_once or in_two)[0].reusable
        return
    (parser, body), (other, other_body) = at_once, in_two
    assert (parser.status, parser.headers, body) == (other.status, other.headers, other_body)
    assert (parser.whole, parser.reusable) == (other.whole, other.reusable)
    if parser.reusable:
        judge(data, parser, body, b"HEAD" if bodiless else b"GET")


def take(bodiless: bool, *pieces: bytes) -> tuple[ResponseParser, bytes] | None:
    parser = ResponseParser(bodiless=bodiless)
    body = b""
    try:
        for piece in filter(None, pieces):
            parser.feed(piece)
            body += parser.take_body()
    except (UpstreamProtocolError, UpstreamBroken):
        return None
    return parser, body


def judge(data: bytes, parser: ResponseParser, body: bytes, method: bytes) -> None:
    cursor = Cursor(data)
    try:
        response = read_response(cursor, method)
        while response.status < 200:
            response = read_response(cursor, method)
    except Incomplete:
        raise AssertionError("the response is not whole") from None
    except Malformed:  # in the reason phrase or a field's value, of which nothing hangs
        return
    assert (response.status, response.body) == (parser.status, body)
    assert cursor.at == len(data)
