"""Shapes that try to be framed in two ways: lengths, transfer codings, chunks, trailers, pipelines."""

from __future__ import annotations

from .shapes import SMUGGLED, Shape, name_of, request

CODINGS = [
    b"Transfer-Encoding: chunked",
    b"transfer-encoding: CHUNKED",
    b"Transfer-Encoding:chunked",
    b"Transfer-Encoding: \t chunked \t ",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\t: chunked",
    b" Transfer-Encoding: chunked",
    b"\tTransfer-Encoding: chunked",
    b"\x0bTransfer-Encoding: chunked",
    b"X: y\rTransfer-Encoding: chunked",
    b"X: y\nTransfer-Encoding: chunked",
    b"X: y\r\rTransfer-Encoding: chunked",
    b"Transfer-Encoding\x00: chunked",
    b"Transfer-Encoding: chunked\x00",
    b"Transfer-Encoding: \x00chunked",
    b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding:\x0cchunked",
    b"Transfer-Encoding: chunked\x0b",
    b"Transfer-Encoding:\xa0chunked",
    b"Transfer-Encoding: \xffchunked",
    b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding:\n chunked",
    b"Transfer-Encoding: chunked\r\n ",
    b"Transfer-Encoding: chun\r\n ked",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunkedx",
    b"Transfer-Encoding: chunk",
    b"Transfer-Encoding: 'chunked'",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: chunked;q=1",
    b"Transfer-Encoding: chunked,",
    b"Transfer-Encoding: ,chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding:",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: x\r\nTransfer-encoding: chunked",
    b"Transfer_Encoding: chunked",
    b"Transfer-\xc4\xb1Encoding: chunked",
    b"Content-Encoding: chunked",
]
LENGTHS = [
    b"Content-Length: 5",
    b"content-length:5",
    b"Content-Length: \t5\t ",
    b"Content-Length: 005",
    b"Content-Length: 0",
    b"Content-Length: +5",
    b"Content-Length: -5",
    b"Content-Length: -0",
    b"Content-Length: 0x5",
    b"Content-Length: 5_0",
    b"Content-Length: 5.0",
    b"Content-Length: 5e0",
    b"Content-Length: 5,5",
    b"Content-Length: 5, 6",
    b"Content-Length: 5 6",
    b"Content-Length: 5;",
    b'Content-Length: "5"',
    b"Content-Length:",
    b"Content-Length: \xb5",
    b"Content-Length: \xd9\xa5",
    b"Content-Length: 5\x00",
    b"Content-Length: 5\x0b",
    b"Content-Length : 5",
    b"Content_Length: 5",
    b"Content-Length: 5\r\nContent-Length: 5",
    b"Content-Length: 5\r\nContent-Length: 6",
    b"Content-Length: 0\r\nContent-Length: 5",
    b"Content-Length: 5\r\ncontent-length:5",
    b"Content-Length:\r\n 5",
    b"Content-Length: 18446744073709551621",
    b"Content-Length: 99999999999999999999999999",
    b"X: y\nContent-Length: 5",
    b"X: y\rContent-Length: 5",
]
CHUNKS = [
    b"5\r\nhello\r\n0\r\n\r\n",
    b"1\r\nh\r\n4\r\nello\r\n0\r\n\r\n",
    b"00005\r\nhello\r\n000\r\n\r\n",
    b"a\r\n0123456789\r\n0\r\n\r\n",
    b"A\r\n0123456789\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"5;a\r\nhello\r\n0\r\n\r\n",
    b"5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n",
    b"5;\r\nhello\r\n0\r\n\r\n",
    b"5;a\x00\r\nhello\r\n0\r\n\r\n",
    b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"5\t\r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"\t5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b"5.\r\nhello\r\n0\r\n\r\n",
    b"\xd9\xa5\r\nhello\r\n0\r\n\r\n",
    b"g\r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5\rhello\r\n0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello\r0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhello\r\n\r\n0\r\n\r\n",
    b"5\r\nhelloworld\r\n0\r\n\r\n",
    b"4\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\n\r\n",
    b"5\r\nhello\r\n0\r\n\n",
    b"5\r\nhello\r\n0\n\n",
    b"5\r\nhello\r\n0\r\r\n\r\n",
    b"5\r\nhello\r\n-1\r\n\r\n",
    b"5\r\nhello\r\n0 \r\n\r\n",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    b"0000000000000000000000000000005\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n" + SMUGGLED,
]  # fmt: skip
TRAILERS = [
    b"Authorization: Bearer smuggled",
    b"X-Forwarded-User: root",
    b"Host: evil.example",
    b"Content-Length: 5",
    b"Transfer-Encoding: chunked",
    b"Connection: x-hop",
    b"Cookie: a=b",
    b"X-Checksum: 1\r\nX-Checksum: 2",
    b"X : y",
    b" folded",
    b"X: y\nZ: w",
    b"X: \x00",
    b"no colon",
    b"GET / HTTP/1.1",
]
ENDS = [
    b"GET /orders/second HTTP/1.1",
    b"\r\nGET /orders/second HTTP/1.1",
    b"\r\n\r\n\r\nGET /orders/second HTTP/1.1",
    b"\nGET /orders/second HTTP/1.1",
    b"\rGET /orders/second HTTP/1.1",
    b" GET /orders/second HTTP/1.1",
    b"0\r\n\r\nGET /orders/second HTTP/1.1",
    b"\x00GET /orders/second HTTP/1.1",
    b"xGET /orders/second HTTP/1.1",
    b"HTTP/1.1 200 OK",
    b"PRI * HTTP/2.0",
]
CHUNKED = b"POST /orders/shape HTTP/1.1\r\nTransfer-Encoding: chunked"
BODIES = {
    "no body": ([], b""),
    "length": ([b"Content-Length: 5"], b"hello"),
    "chunked": ([b"Transfer-Encoding: chunked"], b"5\r\nhello\r\n0\r\n\r\n"),
}


def _coded(coding: bytes, place: str, method: bytes) -> Shape:
    """A coding beside no length, and beside one that ends where a smuggled request begins."""
    fields = {
        "alone": [coding],
        "before a length": [coding, b"Content-Length: 5"],
        "behind a length": [b"Content-Length: 5", coding],
    }[place]
    data = request(method + b" /orders/shape HTTP/1.1", *fields, body=b"0\r\n\r\n" + SMUGGLED)
    refused = coding.endswith(b"\t ")  # within the grammar, but llhttp takes no tab behind a coding
    return Shape(f"{place} {method.decode()}: {name_of(coding)}", data, refused)


def _measured(length: bytes, method: bytes) -> Shape:
    data = request(method + b" /orders/shape HTTP/1.1", length, body=b"hello" + SMUGGLED)
    return Shape(f"{method.decode()}: {name_of(length)}", data)


def _chunked(body: bytes) -> Shape:
    return Shape(f"chunks: {name_of(body)}", request(CHUNKED, body=body))


def _trailed(trailer: bytes) -> Shape:
    body = b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n"
    refused = trailer.startswith(
        (b"Content-Length", b"Transfer-Encoding")
    )  # RFC 9110 §6.5.1 forbids them there
    return Shape(f"trailer: {name_of(trailer)}", request(CHUNKED, body=body), refused)


def _pipelined(kind: str, second: bytes) -> Shape:
    fields, body = BODIES[kind]
    first = request(b"POST /orders/first HTTP/1.1", *fields, body=body)
    return Shape(f"behind {kind}: {name_of(second)}", first + request(second))


SHAPES = [
    *(
        _coded(coding, place, method)
        for coding in CODINGS
        for place in ("alone", "before a length", "behind a length")
        for method in (b"POST", b"GET")
    ),
    *(_measured(length, method) for length in LENGTHS for method in (b"POST", b"GET", b"HEAD")),
    *map(_chunked, CHUNKS),
    *map(_trailed, TRAILERS),
    *(_pipelined(kind, second) for kind in BODIES for second in ENDS),
]
