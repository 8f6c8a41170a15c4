"""Bytes of one response to its values: literal bytes in, status, fields, body and verdicts out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import UpstreamBroken, UpstreamProtocolError
from proxy.upstream.response_head import MAX_FIELDS
from proxy.upstream.response_parser import (
    MAX_CHUNK_OVERHEAD,
    MAX_HEAD_BYTES,
    MAX_INTERIM,
    ResponseParser,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
WHOLE = [
    pytest.param(OK + b"Content-Length: 3\r\n\r\nabc", b"abc", id="length"),
    pytest.param(OK + b"Content-Length: 0\r\n\r\n", b"", id="empty"),
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", id="204"),
    pytest.param(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", id="304 with a length"),
    pytest.param(CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde", id="chunked"),
    pytest.param(CHUNKED + b"1\r\na\r\n0\r\nTrailer: x\r\n\r\n", b"a", id="trailers"),
    pytest.param(INTERIM + INTERIM + OK + b"Content-Length: 1\r\n\r\na", b"a", id="interim"),
    pytest.param(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", b"a", id="1.0 keep-alive"
    ),
]


def parse(data: bytes, *, bodiless: bool = False) -> ResponseParser:
    parser = ResponseParser(bodiless=bodiless)
    parser.feed(data)
    return parser


@pytest.mark.parametrize(("data", "body"), WHOLE)
def test_whole(data: bytes, body: bytes) -> None:
    """A response is whole, and its connection reusable, right at its last byte."""
    parser = parse(data)
    assert (parser.take_body(), parser.whole, parser.reusable) == (body, True, True)


@pytest.mark.parametrize(("data", "body"), WHOLE)
def test_byte_by_byte(data: bytes, body: bytes) -> None:
    """It makes no difference how the bytes are cut, and nothing is whole before its last byte."""
    parser = ResponseParser(bodiless=False)
    for position in range(len(data)):
        assert not parser.whole
        parser.feed(data[position : position + 1])
    assert (parser.take_body(), parser.whole, parser.reusable) == (body, True, True)


@given(st.sampled_from([case.values for case in WHOLE]), st.data())
def test_any_cut(case: tuple[bytes, bytes], cuts: st.DataObject) -> None:
    """H-40: any cut gives the same; one more byte anywhere behind the response makes it unfit for another."""
    data, body = case
    parser = ResponseParser(bodiless=False)
    rest = data + b"H"
    while rest:
        size = cuts.draw(st.integers(1, len(rest)))
        parser.feed(rest[:size])
        rest = rest[size:]
    assert (parser.take_body(), parser.whole, parser.reusable) == (body, True, False)


@pytest.mark.parametrize(
    "data",
    [
        OK + b"Content-Length: 1\r\nConnection: close\r\n\r\na",
        OK + b"Content-Length: 1\r\nConnection: x, Close\r\n\r\na",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n1\r\na\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n",
    ],
    ids=[
        "close",
        "close in a list",
        "1.0",
        "1.0 chunked",
        "204 close",
        "length and coding",
        "coding and length",
        "empty, length and coding",
        "304, length and coding",
    ],
)
def test_not_kept(data: bytes) -> None:
    """H-42: a response may be whole and its connection at its end all the same (RFC 9112 §9.3, §6.1, §6.3)."""
    parser = parse(data)
    assert (parser.whole, parser.reusable) == (True, False)


@pytest.mark.parametrize("more", [b"\n", b"\r", b"\r\n", b"\r\n\r\n", b"\n\n"])
@pytest.mark.parametrize("trailer", [b"", b"X: a\r\n"])
def test_line_ends_behind_chunks(more: bytes, trailer: bytes) -> None:
    """H-40: bytes behind a response are excess, also those that llhttp skips, however they are cut."""
    data = CHUNKED + b"1\r\na\r\n0\r\n" + trailer + b"\r\n" + more
    for cut in range(len(CHUNKED), len(data)):
        parser = parse(data[:cut])
        parser.feed(data[cut:])
        assert (parser.take_body(), parser.whole, parser.reusable) == (b"a", True, False)


def test_until_close() -> None:
    """RFC 9112 §6.3: without a length the body lasts until the connection ends, and is whole then."""
    parser = parse(OK + b"\r\nabc")
    parser.feed(b"de")
    assert not parser.whole
    assert parser.end()
    assert (parser.take_body(), parser.whole, parser.reusable) == (b"abcde", True, False)


@pytest.mark.parametrize(
    "data",
    [b"HTT", OK, OK + b"Content-Length: 2\r\n\r\na", CHUNKED + b"1\r\na\r\n", CHUNKED + b"1\r\na\r\n0\r\n"],
)
def test_truncated(data: bytes) -> None:
    """F-10: an end within the head, a counted or a chunked body is no end of the response."""
    parser = parse(data)
    assert not parser.end()
    assert not parser.whole


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        (b"Content-Length: 5\r\n", 1),
        (b"Transfer-Encoding: chunked\r\n", 0),
        (b"Content-Length: 0\r\n", 1),
        (b"", 0),
    ],
    ids=["length", "chunked", "zero", "none"],
)
def test_head_has_no_body(fields: bytes, kept: int) -> None:
    """H-41: the answer to HEAD ends with its head, keeps its fields, and tolerates nothing behind."""
    parser = parse(OK + fields + b"\r\n", bodiless=True)
    assert parser.whole
    assert not parser.excess
    assert len(parser.headers) == kept
    parser = parse(OK + fields + b"\r\n" + b"5", bodiless=True)
    assert (parser.take_body(), parser.whole, parser.reusable) == (b"", True, False)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
@pytest.mark.parametrize(
    "rest",
    [
        b"\r\nabc",
        b"Content-Length: 3\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\r\nHTTP/1.1 ",
    ],
    ids=["bytes", "length", "chunked", "response"],
)
def test_bodiless_status(status: bytes, rest: bytes) -> None:
    """H-41: 204 and 304 have no body; one that is sent anyway is dropped and ends the connection."""
    parser = parse(b"HTTP/1.1 " + status + b"\r\n" + rest)
    assert (parser.take_body(), parser.whole, parser.reusable) == (b"", True, False)


@pytest.mark.parametrize(
    "extra", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nevil", b"\r\n\r\nHTTP/1.1 200 OK\r\n"]
)
@pytest.mark.parametrize(
    "data", [OK + b"Content-Length: 1\r\n\r\na", CHUNKED + b"1\r\na\r\n0\r\n\r\n"], ids=["length", "chunked"]
)
def test_extra_bytes(data: bytes, extra: bytes) -> None:
    """H-40: bytes behind a whole response are never given out, and end the connection."""
    parser = parse(data + extra)
    assert (parser.take_body(), parser.whole, parser.reusable) == (b"a", True, False)


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: Chunked\r\nContent-Length: 9\r\n",
    ],
    ids=["length first", "coding first"],
)
def test_coding_wins(fields: bytes) -> None:
    """H-42: Transfer-Encoding overrides Content-Length, which goes no further (RFC 9112 §6.3)."""
    parser = parse(OK + fields + b"\r\n1\r\na\r\n0\r\n\r\n")
    assert (parser.take_body(), parser.whole) == (b"a", True)
    assert parser.headers == []


@pytest.mark.parametrize(
    "head",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/0.9 200 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 600 OK\r\n\r\n",
        b"HTTP/1.1 999 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: +1\r\n\r\n",
        OK + b"Content-Length: 0x1\r\n\r\n",
        OK + b"Content-Length:\r\n\r\n",
        OK + b"Content-Length: 1, 1\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
        OK + b"Content-Length: 18446744073709551617\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
        OK + b"Transfer-Encoding: xchunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding:\r\n\r\n",
        OK + b"X: a\0b\r\n\r\n",
        OK + b"X: a\rb\r\n\r\n",
        OK + b"X: a\nY: b\r\n\r\n",
        OK + b"X: a\r\n folded\r\n\r\n",
        OK + b"X : a\r\n\r\n",
        OK + b": a\r\n\r\n",
        OK + b"X Y: a\r\n\r\n",
        OK + b"X: a\x7f\r\n\r\n",
    ],
)
def test_malformed_head(head: bytes) -> None:
    """H-42, H-43: what is not HTTP/1, or can be framed in two ways, is no response."""
    with pytest.raises(UpstreamProtocolError):
        parse(head)


def test_status_bounds() -> None:
    """H-43: 200 and 599 are the first and the last final status that passes."""
    assert parse(b"HTTP/1.1 200 OK\r\n\r\n").status == 200
    assert parse(b"HTTP/1.1 599 Last\r\n\r\n").status == 599


def test_fields_as_received() -> None:
    """H-31, H-33: repeats and their order stay, names are lower-case, values keep their bytes."""
    parser = parse(OK + b"Set-Cookie: a=1\r\nX-Latin: \xe9\r\nset-cookie: b=2\r\nEmpty:\r\n\r\n")
    assert parser.headers == [
        (b"set-cookie", b"a=1"),
        (b"x-latin", b"\xe9"),
        (b"set-cookie", b"b=2"),
        (b"empty", b""),
    ]


def test_trailers_are_no_headers() -> None:
    """H-46: fields behind the body are dropped."""
    parser = parse(CHUNKED + b"0\r\nX-Forwarded-User: admin\r\n\r\n")
    assert parser.headers == []


@pytest.mark.parametrize("excess", [0, 1])
def test_head_size(excess: int) -> None:
    """H-39: a head of 64 KiB passes, one byte more does not, whether it ends there or never."""
    frame = len(OK + b"X: \r\n\r\n")
    head = OK + b"X: " + b"a" * (MAX_HEAD_BYTES - frame + excess) + b"\r\n\r\n"
    if not excess:
        assert parse(head).status == 200
        return
    with pytest.raises(UpstreamProtocolError, match="larger"):
        parse(head)
    with pytest.raises(UpstreamProtocolError, match="larger"):
        parse(head[:MAX_HEAD_BYTES])


def test_field_count() -> None:
    """H-39: 200 fields pass, one more does not."""
    assert parse(OK + b"X: a\r\n" * MAX_FIELDS + b"\r\n").status == 200
    with pytest.raises(UpstreamProtocolError, match="fields"):
        parse(OK + b"X: a\r\n" * (MAX_FIELDS + 1) + b"\r\n")


def test_interim_flood() -> None:
    """H-43: a few interim responses are swallowed, a flood is not HTTP any more."""
    assert parse(INTERIM * MAX_INTERIM + OK + b"\r\n").headers == []
    with pytest.raises(UpstreamProtocolError, match="interim"):
        parse(INTERIM * (MAX_INTERIM + 1))


@pytest.mark.parametrize("chunks", [b"z\r\n", b"-1\r\n", b"1\r\nab", b"1\nb\n", b"10000000000000001\r\na"])
def test_malformed_chunks(chunks: bytes) -> None:
    """F-10: a fault within a chunked body breaks the response that has begun."""
    with pytest.raises(UpstreamBroken):
        parse(CHUNKED + chunks)


@pytest.mark.parametrize("start", [b"1;", b"0\r\nTrailer: "], ids=["extension", "trailer"])
def test_chunk_overhead(start: bytes) -> None:
    """F-36: chunk extensions and trailers are bounded."""
    parser = parse(CHUNKED + start)
    for _ in range(MAX_CHUNK_OVERHEAD // 1024 - 1):
        parser.feed(b"x" * 1024)
    with pytest.raises(UpstreamBroken, match="no end"):
        parser.feed(b"x" * 1025)


def test_body_is_not_copied() -> None:
    """F-23: bytes of a counted body are handed on as they were read."""
    parser = parse(OK + b"Content-Length: 100000\r\n\r\n")
    piece = bytes(50_000)
    parser.feed(piece)
    assert parser.buffered == len(piece)
    assert parser.take_body() is piece
    assert parser.buffered == 0


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    """F-02: whatever an upstream says, it is a response or one of two errors."""
    for prefix in (b"", OK, CHUNKED):
        try:
            parse(prefix + data)
        except (UpstreamProtocolError, UpstreamBroken):
            continue
