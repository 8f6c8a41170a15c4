"""What is served and what is refused, as bytes on a socket."""

from __future__ import annotations

import json

import pytest

from tests.support.raw_client import connected

from .apps import Recorder, listening
from .messages import HOST, chunked, get, post

# By name: the bytes, and the status and code of the refusal.
REFUSED = {
    # H-02, H-06, H-07, H-25: request line
    "connect": (get(b"CONNECT example.com:443 HTTP/1.1"), 405, "method_not_allowed"),
    "trace": (get(b"TRACE / HTTP/1.1"), 405, "method_not_allowed"),
    "unknown method": (get(b"FOO / HTTP/1.1"), 501, "not_implemented"),
    "known to the parser alone": (get(b"M-SEARCH / HTTP/1.1"), 501, "not_implemented"),
    "lower-case method": (get(b"get / HTTP/1.1"), 501, "not_implemented"),
    "method after empty lines": (b"\r\n\r\n" + get(b"FOO / HTTP/1.1"), 501, "not_implemented"),
    "no method": (get(b" / HTTP/1.1"), 400, "bad_request"),
    "TLS on a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "bad_request"),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"),
    "HTTP/1.2": (get(b"GET / HTTP/1.2"), 505, "version_not_supported"),
    "HTTP/2.0": (get(b"GET / HTTP/2.0"), 505, "version_not_supported"),
    "HTTP/0.9": (get(b"GET / HTTP/0.9"), 505, "version_not_supported"),
    "HTTP/9.9": (get(b"GET / HTTP/9.9"), 505, "version_not_supported"),
    "no version": (get(b"GET /"), 505, "version_not_supported"),
    "lower-case http": (get(b"GET / http/1.1"), 400, "bad_request"),
    "space in target": (get(b"GET /a b HTTP/1.1"), 400, "bad_request"),
    "space after version": (get(b"GET / HTTP/1.1 "), 400, "bad_request"),
    "tab for space": (get(b"GET\t/ HTTP/1.1"), 400, "bad_request"),
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400, "bad_request"),
    # H-01, H-03, H-39: target
    "relative target": (get(b"GET orders HTTP/1.1"), 400, "bad_request"),
    "fragment": (get(b"GET /a#b HTTP/1.1"), 400, "bad_request"),
    "asterisk for GET": (get(b"GET * HTTP/1.1"), 400, "bad_request"),
    "authority-form": (get(b"GET example.com:80 HTTP/1.1"), 400, "bad_request"),
    "another origin": (get(b"GET http://evil.example/p HTTP/1.1"), 400, "bad_request"),
    "another port": (get(b"GET http://example.com:81/p HTTP/1.1"), 400, "bad_request"),
    "userinfo": (get(b"GET http://a@example.com/p HTTP/1.1"), 400, "bad_request"),
    "another scheme": (get(b"GET ftp://example.com/p HTTP/1.1"), 400, "bad_request"),
    "absolute with fragment": (get(b"GET http://example.com/p#f HTTP/1.1"), 400, "bad_request"),
    "no authority": (get(b"GET http:///p HTTP/1.1"), 400, "bad_request"),
    "NUL in target": (get(b"GET /\0 HTTP/1.1"), 400, "bad_request"),
    "byte over ASCII in target": (get(b"GET /\xff HTTP/1.1"), 400, "bad_request"),
    "long target": (get(b"GET /" + b"a" * 8192 + b" HTTP/1.1"), 414, "target_too_long"),
    # Host: H-05
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "two Hosts": (get(b"GET / HTTP/1.1", b"Host: other"), 400, "bad_request"),
    "two equal Hosts": (get(b"GET / HTTP/1.1", b"Host: example.com"), 400, "bad_request"),
    **{
        f"Host {host.decode()}": (b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", 400, "bad_request")
        for host in [
            b"",
            b"a@b",
            b"a/b",
            b"a,b",
            b"a b",
            b"a:",
            b"a:b",
            b"a:65536",
            b"a:1:2",
            b"[::1",
            b"[g]",
            b"a?b",
        ]
    },
    # H-25, H-33: field lines
    "obs-fold": (post(b"X: a", b" b"), 400, "bad_request"),
    "space before the first field": (b"GET / HTTP/1.1\r\n X: a\r\n" + HOST + b"\r\n", 400, "bad_request"),
    "space before colon": (post(b"X : a"), 400, "bad_request"),
    "no colon": (post(b"X"), 400, "bad_request"),
    "no name": (post(b": a"), 400, "bad_request"),
    "NUL in value": (post(b"X: a\0b"), 400, "bad_request"),
    "CR in value": (post(b"X: a\rb"), 400, "bad_request"),
    "LF in value": (post(b"X: a\nY: b"), 400, "bad_request"),
    "DEL in value": (post(b"X: a\x7fb"), 400, "bad_request"),
    # H-07, H-20, H-23: framing
    "both framings": (
        post(
            b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n"
        ),
        400,
        "bad_request",
    ),
    "both framings, the other way": (
        post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"0\r\n\r\n"),
        400,
        "bad_request",
    ),
    "chunked in HTTP/1.0": (
        get(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
        400,
        "bad_request",
    ),
    "identity": (post(b"Transfer-Encoding: identity"), 501, "not_implemented"),
    "gzip, chunked": (post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501, "not_implemented"),
    "xchunked": (post(b"Transfer-Encoding: xchunked"), 501, "not_implemented"),
    "chunked with a parameter": (post(b"Transfer-Encoding: chunked;a=b"), 501, "not_implemented"),
    "chunked, identity": (post(b"Transfer-Encoding: chunked, identity"), 400, "bad_request"),
    "chunked twice": (
        post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        400,
        "bad_request",
    ),
    "vertical tab before chunked": (post(b"Transfer-Encoding:\x0bchunked"), 400, "bad_request"),
    "two lengths": (post(b"Content-Length: 1", b"Content-Length: 2"), 400, "bad_request"),
    "two equal lengths": (post(b"Content-Length: 1", b"Content-Length: 1"), 400, "bad_request"),
    **{
        f"length {length.decode()!r}": (post(b"Content-Length: " + length), 400, "bad_request")
        for length in [
            b"5, 5",
            b"+5",
            b"-5",
            b"0x5",
            b"5_0",
            b"",
            b"5 5",
            b"99999999999999999999",
            b"18446744073709551617",
        ]
    },
    # H-27: expectation
    "another expectation": (post(b"Expect: 200-ok"), 417, "expectation_failed"),
    "two expectations": (post(b"Expect: 100-continue", b"Expect: 100-continue"), 400, "bad_request"),
    # H-39, A-21: size
    "long field": (post(b"X: " + b"a" * (16 * 1024)), 431, "header_too_large"),
    "long token": (post(b"Authorization: Bearer " + b"a" * 10_000_000), 431, "header_too_large"),
    "many fields": (post(*[b"X: a"] * 100), 431, "header_too_large"),
    "large head": (post(*[b"X: " + b"a" * 8000] * 9), 431, "header_too_large"),
    # H-26: bodies
    **{
        f"chunk size {size.decode()!r}": (chunked(size + b"\r\nabcde\r\n0\r\n\r\n"), 400, "bad_request")
        for size in [b"5 ", b" 5", b"0x5", b"+5", b"-5", b"5_0", b"", b"g", b"10000000000000005", b"5;a\nb"]
    },
    "chunk line ends in LF": (chunked(b"5\nabcde\r\n0\r\n\r\n"), 400, "bad_request"),
    "chunk longer than said": (chunked(b"5\r\nabcdeX\r\n0\r\n\r\n"), 400, "bad_request"),
    "length in a trailer": (chunked(b"0\r\nContent-Length: 9\r\n\r\n"), 400, "bad_request"),
    "bad trailer": (chunked(b"0\r\nX : a\r\n\r\n"), 400, "bad_request"),
}


@pytest.fixture
async def recorder():
    return Recorder()


@pytest.mark.parametrize(("data", "status", "code"), REFUSED.values(), ids=REFUSED)
async def test_a_faulty_request_is_refused_and_the_connection_closed(recorder, data, status, code):
    """H-01, H-02, H-05, H-06, H-07, H-20, H-23, H-25, H-26, H-33, H-39, A-21: refused as problem details."""
    async with listening(recorder) as listener, connected(listener.address) as client:
        client.writer.write(data)
        response = await client.response()
        assert (response.status, json.loads(response.body)["code"]) == (status, code)
        assert response.header(b"content-type") == b"application/problem+json"
        assert response.header(b"cache-control") == b"no-store"
        assert response.header(b"connection") == b"close"
        assert (response.header(b"allow") is not None) == (status == 405)
        assert await client.rest() == b""
    assert recorder.requests == []


@pytest.mark.parametrize(("data", "status", "code"), REFUSED.values(), ids=REFUSED)
async def test_a_fault_is_found_however_the_bytes_arrive(recorder, data, status, code):
    """H-25: the same verdict when the request comes in small segments."""
    if len(data) > 10_000:
        pytest.skip("too long to be cut into pieces")
    step = max(1, len(data) // 12)
    async with listening(recorder) as listener, connected(listener.address) as client:
        for start in range(0, len(data), step):
            client.writer.write(data[start : start + step])
            await client.writer.drain()
        response = await client.response()
        assert response.status == status
    assert recorder.requests == []
