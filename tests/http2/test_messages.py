"""RFC 9113 §8: what of a message is refused, and what HTTP/1.1 gets of it."""

from __future__ import annotations

import pytest

from proxy.errors import (
    BadRequest,
    ExpectationFailed,
    HeaderTooLarge,
    MethodNotAllowed,
    NotImplementedHere,
    ProxyError,
    TargetTooLong,
    UpstreamProtocolError,
)
from proxy.http2 import codec
from proxy.http2.messages import (
    BodyLength,
    Request,
    build_request,
    build_response,
    find_method,
    read_request,
    read_response,
    read_trailers,
)
from proxy.server.limits import Limits

LIMITS = Limits(
    max_header_bytes=64 * 1024,
    max_header_fields=100,
    max_connections=1,
    header_timeout=1.0,
    keep_alive_timeout=1.0,
)
PSEUDO = {":method": "POST", ":scheme": "https", ":authority": "api.example", ":path": "/a?b"}


def pseudo(**changes: str | None) -> list[tuple[bytes, bytes]]:
    """The pseudo-header fields with these changes, None for without."""
    changed = {**PSEUDO, **{f":{name}": value for name, value in changes.items()}}
    return [(name.encode(), value.encode("latin-1")) for name, value in changed.items() if value is not None]


def field(name: str, value: str) -> list[tuple[bytes, bytes]]:
    return [*pseudo(), (name.encode("latin-1"), value.encode("latin-1"))]


READS = [
    (pseudo(), [(b"host", b"api.example")]),
    (field("te", "trailers"), [(b"host", b"api.example"), (b"te", b"trailers")]),
    ([*pseudo(authority=None), (b"a", b"b"), (b"host", b"h:1")], [(b"host", b"h:1"), (b"a", b"b")]),
    ([*pseudo(), (b"host", b"API.example")], [(b"host", b"api.example")]),
    (
        [*pseudo(), (b"cookie", b"a=1"), (b"x", b""), (b"cookie", b"b=2"), (b"cookie", b"c=3")],
        [(b"host", b"api.example"), (b"cookie", b"a=1; b=2; c=3"), (b"x", b"")],
    ),
    (
        [*pseudo(), (b"x", b"\xe4 \t b"), (b"x", b"2")],
        [(b"host", b"api.example"), (b"x", b"\xe4 \t b"), (b"x", b"2")],
    ),
]


@pytest.mark.parametrize(("fields", "headers"), READS)
def test_what_http_1_1_would_have(fields, headers):
    """H2-02, H2-05: pseudo-header fields become method, target and ``Host``, which is first; crumbs one cookie."""
    request = read_request(fields, LIMITS, ended=False)
    assert (request.method, request.target, request.version) == ("POST", b"/a?b", "2")
    assert request.headers == headers


def test_body_length_and_expectation():
    fields = [*pseudo(), (b"content-length", b"3"), (b"expect", b"100-Continue")]
    request = read_request(fields, LIMITS, ended=False)
    assert (request.content_length, request.expects_continue) == (3, True)
    assert isinstance(request, Request)


REFUSED = {
    # pseudo-header fields
    "no method": (pseudo(method=None), BadRequest),
    "no scheme": (pseudo(scheme=None), BadRequest),
    "no path": (pseudo(path=None), BadRequest),
    "no authority, no host": (pseudo(authority=None), BadRequest),
    "empty path": (pseudo(path=""), BadRequest),
    "empty method": (pseudo(method=""), BadRequest),
    "empty authority": (pseudo(authority=""), BadRequest),
    "method twice": ([*pseudo(), (b":method", b"GET")], BadRequest),
    "path twice": ([*pseudo(), (b":path", b"/a?b")], BadRequest),
    "authority twice": ([*pseudo(), (b":authority", b"api.example")], BadRequest),
    "unknown": ([*pseudo(), (b":protocol", b"websocket")], BadRequest),
    "of a response": ([*pseudo(), (b":status", b"200")], BadRequest),
    "late": ([*pseudo(path=None), (b"a", b"b"), (b":path", b"/")], BadRequest),
    "in upper case": ([*pseudo(path=None), (b":Path", b"/")], BadRequest),
    "only a colon": ([*pseudo(), (b":", b"x")], BadRequest),
    "nothing at all": ([], BadRequest),
    # method
    "CONNECT": ([(b":method", b"CONNECT"), (b":authority", b"a:1")], MethodNotAllowed),
    "extended CONNECT": ([*pseudo(method="CONNECT"), (b":protocol", b"websocket")], BadRequest),
    "TRACE": (pseudo(method="TRACE"), MethodNotAllowed),
    "unknown method": (pseudo(method="BREW"), NotImplementedHere),
    "method in lower case": (pseudo(method="get"), NotImplementedHere),
    "method with a request": (pseudo(method="GET / HTTP/1.1\r\nhost: x\r\n\r\nGET"), BadRequest),
    "method with a space": (pseudo(method="GET /admin"), BadRequest),
    "method too long": (pseudo(method="M" * 33), BadRequest),
    # scheme
    "other scheme": (pseudo(scheme="ftp"), BadRequest),
    "scheme with a request": (pseudo(scheme="https://x/ HTTP/1.1\r\n\r\n"), BadRequest),
    # path
    "path with a space": (pseudo(path="/ HTTP/1.1"), BadRequest),
    "path with a request": (pseudo(path="/ HTTP/1.1\r\nhost: x\r\n\r\nGET /"), BadRequest),
    "path with a line break": (pseudo(path="/\n"), BadRequest),
    "path with NUL": (pseudo(path="/\0"), BadRequest),
    "path with DEL": (pseudo(path="/\x7f"), BadRequest),
    "path not ASCII": (pseudo(path="/\xe4"), BadRequest),
    "path with a fragment": (pseudo(path="/a#b"), BadRequest),
    "absolute form": (pseudo(path="http://api.example/"), BadRequest),
    "authority form": (pseudo(path="api.example:443"), BadRequest),
    "only a query": (pseudo(path="?a"), BadRequest),
    "asterisk": (pseudo(path="*"), BadRequest),
    "path too long": (pseudo(path="/" + "a" * 8192), TargetTooLong),
    # authority and Host
    "userinfo": (pseudo(authority="user@api.example"), BadRequest),
    "userinfo with a password": (pseudo(authority="api.example:x@evil.example"), BadRequest),
    "authority with a path": (pseudo(authority="api.example/x"), BadRequest),
    "authority with a line break": (pseudo(authority="a\r\nx: y"), BadRequest),
    "port too large": (pseudo(authority="a:65536"), BadRequest),
    "another Host": (field("host", "evil.example"), BadRequest),
    "an empty Host": (field("host", ""), BadRequest),
    "two Hosts": ([*field("host", "api.example"), (b"host", b"api.example")], BadRequest),
    "userinfo in Host": ([*pseudo(authority=None), (b"host", b"u@a")], BadRequest),
    # names
    "empty name": (field("", "x"), BadRequest),
    "upper case": (field("X-A", "x"), BadRequest),
    "colon in a name": (field("a:b", "x"), BadRequest),
    "field in a name": (field("a: b\r\nc", "x"), BadRequest),
    "space in a name": (field("a b", "x"), BadRequest),
    "space at the end of a name": (field("transfer-encoding ", "chunked"), BadRequest),
    "NUL in a name": (field("a\0", "x"), BadRequest),
    "name not ASCII": (field("\xe4", "x"), BadRequest),
    # values
    "CR LF in a value": (field("a", "b\r\nc: d"), BadRequest),
    "CR in a value": (field("a", "b\rc"), BadRequest),
    "LF in a value": (field("a", "b\nc"), BadRequest),
    "LF alone": (field("a", "\n"), BadRequest),
    "NUL in a value": (field("a", "b\0c"), BadRequest),
    "other control": (field("a", "b\x0bc"), BadRequest),
    "space before a value": (field("a", " b"), BadRequest),
    "space behind a value": (field("a", "b "), BadRequest),
    "tab behind a value": (field("a", "b\t"), BadRequest),
    "only a space": (field("a", " "), BadRequest),
    # connection
    **{
        name: (field(name, value), BadRequest)
        for name, value in [
            ("connection", "x-a"),
            ("connection", "close"),
            ("keep-alive", "1"),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "identity"),
            ("upgrade", "websocket"),
            ("te", "gzip"),
            ("te", "trailers, deflate"),
        ]
    },
    # length
    "no number": (field("content-length", "1a"), BadRequest),
    "a sign": (field("content-length", "+1"), BadRequest),
    "a list": (field("content-length", "1, 1"), BadRequest),
    "empty": (field("content-length", ""), BadRequest),
    "two": ([*field("content-length", "1"), (b"content-length", b"1")], BadRequest),
    "too large": (field("content-length", "1" * 19), BadRequest),
    # expectation and sizes
    "expectation": (field("expect", "wonders"), ExpectationFailed),
    "a long field": (field("a", "b" * 16 * 1024), HeaderTooLarge),
    "a long cookie": ([*pseudo(), *[(b"cookie", b"c" * 8192)] * 2], HeaderTooLarge),
    "many fields": ([*pseudo(), *[(b"a", b"b")] * 100], HeaderTooLarge),
    "many bytes": ([*pseudo(), *[(b"a", b"b" * 10_000)] * 7], HeaderTooLarge),
    "many entries": ([*pseudo(), *[(b"cookie", b"")] * 2000], HeaderTooLarge),
}
PSEUDO_FIELDS = pseudo()
OFFERED = [*(fields for fields, _ in READS), *(fields for fields, _ in REFUSED.values())]


@pytest.mark.parametrize(("fields", "refusal"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(fields, refusal):
    """H2-01, H2-03, H2-04: every way in which one message could be read as another, each as HTTP/1.1 refuses it."""
    with pytest.raises(refusal) as raised:
        read_request(fields, LIMITS, ended=False)
    assert type(raised.value) is refusal


@pytest.mark.parametrize(
    ("fields", "method"),
    [
        ([(b":method", b"HEAD"), (b":path", b"a")], "HEAD"),
        ([(b"a", b"b"), (b":method", b"TRACE")], "TRACE"),
        ([(b":method", b"G\r\nT")], ""),
        ([], ""),
    ],
)
def test_the_method_of_what_is_faulty(fields, method):
    assert find_method(fields) == method


def test_a_length_without_a_body():
    """H2-04."""
    with pytest.raises(BadRequest):
        read_request(field("content-length", "1"), LIMITS, ended=True)
    assert read_request(field("content-length", "0"), LIMITS, ended=True).content_length == 0


def test_asterisk_is_for_options():
    assert read_request(pseudo(method="OPTIONS", path="*"), LIMITS, ended=True).target == b"*"


@pytest.mark.parametrize(
    ("said", "sizes", "sound", "whole"),
    [
        (None, [5, 7], True, True),
        (3, [1, 2], True, True),
        (3, [1, 3], False, False),
        (3, [1], True, False),
        (0, [], True, True),
        (0, [1], False, False),
    ],
)
def test_a_body_is_as_long_as_it_says(said, sizes, sound, whole):
    """H2-04: what comes is counted (RFC 9113 §8.1.1)."""
    length = BodyLength(said)
    assert [length.count(size) for size in sizes][-1:] in ([sound], [])
    assert length.end() is whole


@pytest.mark.parametrize(
    "trailers",
    [
        [(b":status", b"200")],
        [(b":path", b"/")],
        [(b"a", b"b"), (b":x", b"")],
        [(b"transfer-encoding", b"chunked")],
        [(b"connection", b"a")],
        [(b"A", b"b")],
        [(b"a", b"b\r\n")],
        [(b"", b"b")],
        [(b"a", b"b")] * 101,
        [(b"a", b"b" * 10_000)] * 7,
    ],
)
@pytest.mark.parametrize("refusal", [BadRequest, UpstreamProtocolError])
def test_trailers_that_are_refused(trailers, refusal: type[ProxyError]):
    """H2-06."""
    with pytest.raises(refusal):
        read_trailers(trailers, LIMITS, refusal)


def test_trailers():
    trailers = [(b"grpc-status", b"0"), (b"grpc-message", b"")]
    assert read_trailers(trailers, LIMITS) == trailers


def test_a_response():
    fields = [(b":status", b"204"), (b"a", b"b")]
    assert read_response(fields, LIMITS) == (204, [(b"a", b"b")], None)
    assert read_response([(b":status", b"200"), (b"content-length", b"7")], LIMITS)[2] == 7


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b"a", b"b")],
        [(b":status", b"")],
        [(b":status", b"20")],
        [(b":status", b"0200")],
        [(b":status", b"103")],
        [(b":status", b"600")],
        [(b":status", b"2 0")],
        [(b":status", b"200"), (b":status", b"200")],
        [(b"a", b"b"), (b":status", b"200")],
        [(b":status", b"200"), (b":path", b"/")],
        [(b":status", b"200"), (b"connection", b"close")],
        [(b":status", b"200"), (b"transfer-encoding", b"chunked")],
        [(b":status", b"200"), (b"A", b"b")],
        [(b":status", b"200"), (b"a", b"b\r\nc: d")],
        [(b":status", b"200"), (b"content-length", b"1"), (b"content-length", b"2")],
        [(b":status", b"200"), (b"content-length", b"-1")],
        [(b":status", b"200"), *[(b"a", b"b")] * 101],
        [(b":status", b"200"), *[(b"a", b"b" * 10_000)] * 7],
    ],
)
def test_responses_that_are_refused(fields):
    """H2-03."""
    with pytest.raises(UpstreamProtocolError):
        read_response(fields, LIMITS)


def test_a_request_as_it_is_sent():
    """H2-07: no field of the connection goes on, ``host`` is the authority, ``te: trailers`` stays."""
    fields = [
        *[(b"x", b"1"), (b"host", b"api.example"), (b"connection", b"x"), (b"te", b"trailers")],
        *[(b"transfer-encoding", b"chunked"), (b"keep-alive", b"1"), (b"upgrade", b"h2c"), (b"x", b"2")],
    ]
    assert build_request("PUT", b"/p", fields, secure=False) == [
        *[(b":method", b"PUT"), (b":scheme", b"http"), (b":authority", b"api.example"), (b":path", b"/p")],
        *[(b"x", b"1"), (b"te", b"trailers"), (b"x", b"2")],
    ]
    assert build_request("GET", b"/", [(b"te", b"gzip")], secure=True)[1:3] == [
        (b":scheme", b"https"),
        (b":authority", b""),
    ]


def test_a_response_as_it_is_sent():
    """H2-07."""
    fields = [(b"a", b"b"), (b"transfer-encoding", b"chunked"), (b"connection", b"close")]
    assert build_response(201, fields) == [(b":status", b"201"), (b"a", b"b")]


@pytest.mark.parametrize(
    "event",
    [
        codec.RequestReceived(1, [(b"authorization", b"canary")], True),
        codec.ResponseReceived(1, [(b"set-cookie", b"canary")], False),
        codec.DataReceived(1, b"canary", 6),
        codec.StreamEnded(1, [(b"x-token", b"canary")]),
        Request("GET", b"/?canary", [(b"authorization", b"canary")], None, expects_continue=False, size=1),
    ],
    ids=lambda event: type(event).__name__,
)
def test_no_credential_shows_in_a_repr(event: object):
    assert "canary" not in repr(event)
