"""Requests and responses on their streams, over real connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from proxy.errors import (
    BadRequest,
    UpstreamBroken,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from proxy.http2.codec import ErrorCode
from proxy.upstream import reading
from proxy.websockets.allowance import Allowance
from tests.support.http2_upstream import Http2Server, ServerStream
from tests.upstream.requests import Body, read_all, until

from .requests import Connect, fetch, send

SOON = 0.3  # s: a shortened limit


async def never(_: ServerStream) -> None:
    await asyncio.Event().wait()


async def test_a_request_is_sent_as_http2_has_it(connect: Connect) -> None:
    """H2-07, RFC 9113 §8.3.1."""
    fields = [
        (b"accept", b"a"),
        (b"connection", b"close"),
        (b"transfer-encoding", b"chunked"),
        (b"te", b"trailers"),
        (b"cookie", b"x"),
        (b"cookie", b"y"),
    ]
    async with Http2Server() as server:
        await fetch(connect(server.url), "POST", path=b"/a?b", fields=fields, body=Body([b"c"]))
    assert server.streams[0].fields == [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":authority", b"api.example"),
        (b":path", b"/a?b"),
        (b"accept", b"a"),
        (b"te", b"trailers"),
        (b"cookie", b"x"),
        (b"cookie", b"y"),
    ]
    assert server.streams[0].body == b"c"


@pytest.mark.parametrize("trailers", [(), [(b"x-sum", b"1")]], ids=["", "trailers"])
@pytest.mark.parametrize(
    "pieces", [[], [b"a"], [b"a" * 70_000, b"b" * 70_000]], ids=["empty", "short", "long"]
)
@pytest.mark.parametrize("counted", [False, True], ids=["", "counted"])
async def test_a_body_arrives_with_its_trailers(
    connect: Connect, pieces: list[bytes], trailers: list[tuple[bytes, bytes]], *, counted: bool
) -> None:
    """What came is what goes on, however long it is."""
    body = b"".join(pieces)
    async with Http2Server() as server:
        sent = Body(pieces, len(body) if counted else None, trailers)
        assert await fetch(connect(server.url), "POST", body=sent) == (200, b"hello")
        assert server.streams[0].body == body
        assert server.streams[0].trailers == list(trailers)


@pytest.mark.parametrize(
    ("method", "status", "fields", "body", "trailers"),
    [
        ("GET", 200, [], b"hello", []),
        ("GET", 200, [(b"content-length", b"5")], b"hello", []),
        ("GET", 200, [(b"x", b"1"), (b"x", b"2")], b"", []),
        ("GET", 200, [], b"a" * 200_000, []),
        ("GET", 200, [], b"hello", [(b"grpc-status", b"0")]),
        ("GET", 200, [(b"content-type", b"application/grpc")], b"", [(b"grpc-status", b"12")]),
        ("HEAD", 200, [(b"content-length", b"5")], b"", []),
        ("GET", 304, [(b"content-length", b"5")], b"", []),
        ("GET", 204, [], b"", []),
        ("GET", 503, [], b"sorry", []),
    ],
)
async def test_a_response_comes_as_it_was_sent(
    connect: Connect,
    method: str,
    status: int,
    fields: list[tuple[bytes, bytes]],
    body: bytes,
    trailers: list[tuple[bytes, bytes]],
) -> None:
    """Status, fields in their order, body and trailers."""

    async def answer(stream: ServerStream) -> None:
        await stream.respond(body, *fields, status=status, trailers=trailers)

    async with Http2Server(answer) as server:
        response = await send(connect(server.url), method)
        assert (response.status, response.headers) == (status, fields)
        assert await read_all(response) == body
        assert response.whole
        assert list(response.trailers) == trailers


async def stray_interim(stream: ServerStream) -> None:
    for _ in range(3):
        stream.connection.h2.send_headers(stream.number, [(b":status", b"103"), (b"link", b"a")])
    await stream.respond(b"hello")


async def test_interim_responses_are_not_seen(connect: Connect) -> None:
    async with Http2Server(stray_interim) as server:
        assert await fetch(connect(server.url)) == (200, b"hello")


def reset(code: int, *, late: bool = False) -> Callable[[ServerStream], Awaitable[None]]:
    async def answer(stream: ServerStream) -> None:
        if late:
            stream.start()
            await stream.send(b"hello")
            await asyncio.sleep(0.02)
        stream.reset(code)

    return answer


def start(
    *fields: tuple[bytes, bytes], body: bytes | None = None
) -> Callable[[ServerStream], Awaitable[None]]:
    async def answer(stream: ServerStream) -> None:
        stream.start(*fields, ended=body is None)
        if body is not None:
            await stream.send(body, ended=True)

    return answer


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (reset(ErrorCode.INTERNAL_ERROR), UpstreamUnreachable, "INTERNAL_ERROR"),
        (reset(ErrorCode.NO_ERROR), UpstreamUnreachable, "NO_ERROR"),
        (reset(99), UpstreamUnreachable, "0x63"),
        (reset(ErrorCode.HTTP_1_1_REQUIRED), UpstreamProtocolError, "HTTP_1_1_REQUIRED"),
        (reset(ErrorCode.CANCEL, late=True), UpstreamBroken, "CANCEL"),
        (reset(ErrorCode.NO_ERROR, late=True), UpstreamBroken, "NO_ERROR"),
        (reset(ErrorCode.REFUSED_STREAM, late=True), UpstreamBroken, "REFUSED_STREAM"),
        (start((b"X-Upper", b"a")), UpstreamProtocolError, "lower case"),
        (start((b"connection", b"close")), UpstreamProtocolError, "connections"),
        (start((b"a", b"b\r\nc: d")), UpstreamProtocolError, "character"),
        (
            start((b"content-length", b"5"), (b"content-length", b"5")),
            UpstreamProtocolError,
            "content-length",
        ),
        (start((b"content-length", b"+5"), body=b"hello"), UpstreamProtocolError, "number"),
        (start(*[(b"a", b"b")] * 201), UpstreamProtocolError, "many"),
        (start((b"a", b"b" * 65_536)), UpstreamProtocolError, "large"),
    ],
)
async def test_a_response_that_is_none(
    connect: Connect, answer: Callable[[ServerStream], Awaitable[None]], error: type[Exception], reason: str
) -> None:
    """H2-08: told by what it is, and the connection's other requests are not touched."""
    other = asyncio.Event()

    async def answer_either(stream: ServerStream) -> None:
        if stream.value(b":path") == b"/other":
            await other.wait()
            await stream.respond(b"hello")
        else:
            await answer(stream)

    async with Http2Server(answer_either) as server:
        upstream = connect(server.url)
        beside = asyncio.ensure_future(fetch(upstream, path=b"/other"))
        with pytest.raises(error, match=reason):
            await fetch(upstream)
        other.set()
        assert await beside == (200, b"hello")
        assert len(server.connections) == 1


@pytest.mark.parametrize(
    "answer",
    [start((b"content-length", b"9"), body=b"hello"), start((b"content-length", b"2"), body=b"hello")],
    ids=["too short", "too long"],
)
async def test_a_body_that_is_not_as_long_as_was_said(
    connect: Connect, answer: Callable[[ServerStream], Awaitable[None]]
) -> None:
    """RFC 9113 §8.1.1: malformed, whether or not its head has gone on already."""
    async with Http2Server(answer) as server:
        with pytest.raises((UpstreamBroken, UpstreamProtocolError), match="Content-Length"):
            await fetch(connect(server.url))


async def test_trailers_are_checked(connect: Connect) -> None:
    async def answer(stream: ServerStream) -> None:
        stream.start()
        await stream.send(b"hello")
        await asyncio.sleep(0.02)
        stream.end([(b":status", b"200")])

    async with Http2Server(answer) as server:
        with pytest.raises(UpstreamBroken, match="trailers"):
            await fetch(connect(server.url))


@pytest.mark.parametrize("status", [200, 403])
async def test_a_response_may_be_whole_before_the_request(connect: Connect, status: int) -> None:
    """RFC 9113 §8.1: the rest of the body is of no use, and a reset with NO_ERROR breaks nothing."""

    async def answer(stream: ServerStream) -> None:
        await stream.respond(b"enough", status=status)
        stream.reset(ErrorCode.NO_ERROR)

    gate = asyncio.Event()
    async with Http2Server(answer) as server:
        upstream = connect(server.url)
        response = await send(upstream, "POST", body=Body([b"a", gate, b"b"]))
        assert (response.status, await read_all(response)) == (status, b"enough")
        assert upstream.active == 0
        assert await fetch(upstream) == (status, b"enough")
        assert len(server.connections) == 1


async def test_a_refused_body_is_sent_no_further(connect: Connect) -> None:
    """H-48: as soon as the head says so."""
    gate, head = asyncio.Event(), asyncio.Event()

    async def answer(stream: ServerStream) -> None:
        stream.start(status=413)
        await gate.wait()
        await stream.send(b"too large", ended=True)

    async with Http2Server(answer) as server:
        response = await send(connect(server.url), "POST", body=Body([b"a", head, b"b"]))
        head.set()
        await asyncio.sleep(0.02)
        assert server.streams[0].body == b"a"
        gate.set()
        assert await read_all(response) == b"too large"
        await asyncio.wait_for(server.streams[0].reset_by_peer.wait(), 5)


async def test_both_directions_at_the_same_time(connect: Connect) -> None:
    """The response begins before the body does, and each piece is answered before the next."""

    async def echo(stream: ServerStream) -> None:
        stream.start()
        seen = 0
        while not stream.ended.is_set():
            stream.changed.clear()
            if len(stream.body) == seen:
                await stream.changed.wait()
            await stream.send(bytes(stream.body[seen:]))
            seen = len(stream.body)
        stream.end([(b"grpc-status", b"0")])

    gates = [asyncio.Event() for _ in range(3)]
    pieces = [each for number, gate in enumerate(gates) for each in (gate, b"%d" % number)]
    async with Http2Server(echo) as server:
        response = await send(connect(server.url), "POST", body=Body(pieces))
        for number, gate in enumerate(gates):
            gate.set()
            assert await response.read() == b"%d" % number
        assert await response.read() == b""
        assert list(response.trailers) == [(b"grpc-status", b"0")]


@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "within the body"])
@pytest.mark.parametrize("uploads", [False, True], ids=["", "upload"])
async def test_who_leaves_resets_the_stream(connect: Connect, *, begun: bool, uploads: bool) -> None:
    """F-20: within a moment, and nothing else is touched."""

    async def answer(stream: ServerStream) -> None:
        if begun:
            stream.start()
            await stream.send(b"hello")
        await never(stream)

    async with Http2Server(answer) as server:
        upstream = connect(server.url)
        body = Body([b"a", asyncio.Event()]) if uploads else None
        fetching = asyncio.ensure_future(fetch(upstream, "POST", body=body))
        await until(lambda: bool(server.streams))
        await asyncio.sleep(0.02)
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        await asyncio.wait_for(server.streams[0].reset_by_peer.wait(), 5)
        assert server.streams[0].code == ErrorCode.CANCEL
        assert (upstream.active, upstream.idle) == (0, 1)


async def test_a_response_that_is_closed_unread(connect: Connect) -> None:
    async with Http2Server(start(body=b"a" * 300_000)) as server:
        upstream = connect(server.url)
        response = await send(upstream)
        response.close()
        response.close()
        await until(lambda: upstream.active == 0)
        with pytest.raises(UpstreamBroken):
            await read_all(response)


async def test_a_body_that_breaks_off_resets_the_stream(connect: Connect) -> None:
    """The caller's fault is the caller's."""
    async with Http2Server(never) as server:
        upstream = connect(server.url)
        with pytest.raises(BadRequest):
            await fetch(upstream, "POST", body=Body([b"a", BadRequest("")]))
        await asyncio.wait_for(server.streams[0].reset_by_peer.wait(), 5)
        assert upstream.active == 0


@pytest.mark.parametrize("uploads", [False, True], ids=["", "upload"])
async def test_a_response_that_does_not_begin(connect: Connect, *, uploads: bool) -> None:
    """F-14: from the end of the request on."""
    async with Http2Server(never) as server:
        with pytest.raises(UpstreamTimeout):
            await fetch(connect(server.url, response=SOON), "POST", body=Body([b"a"]) if uploads else None)
        await asyncio.wait_for(server.streams[0].reset_by_peer.wait(), 5)


async def test_a_response_that_stalls(connect: Connect) -> None:
    """F-14: between two reads; what came of it is there."""

    async def answer(stream: ServerStream) -> None:
        stream.start()
        for _ in range(3):
            await stream.send(b"a")
            await asyncio.sleep(SOON / 2)
        await never(stream)

    async with Http2Server(answer) as server:
        response = await send(connect(server.url, idle=SOON))
        assert [await response.read() for _ in range(3)] == [b"a"] * 3
        with pytest.raises(UpstreamBroken, match="stalled"):
            await response.read()


async def test_a_stream_that_is_slow_to_be_read_does_not_time_out(connect: Connect) -> None:
    """F-14: it is the reader's time."""
    async with Http2Server(start(body=b"a" * 300_000)) as server:
        response = await send(connect(server.url, idle=SOON))
        await asyncio.sleep(2 * SOON)
        assert await read_all(response) == b"a" * 300_000


@pytest.mark.parametrize("size", [300_000, 120_000], ids=["as they come", "whole"])
async def test_stalled_readers_share_an_allowance(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, *, size: int
) -> None:
    """F-23, F-36: whoever holds most is cut, and nothing is noted of those who have ended."""
    monkeypatch.setattr(reading, "RESPONSES", allowance := Allowance(1024 * 1024))
    async with Http2Server(start(body=b"a" * size)) as server:
        upstream = connect(server.url)
        responses = [await send(upstream) for _ in range(12)]
        await until(lambda: upstream.active < 12)
        await asyncio.sleep(0.02)
        assert 0 < allowance.held <= 1024 * 1024
        outcomes = await asyncio.gather(*map(read_all, responses), return_exceptions=True)
        broken = [outcome for outcome in outcomes if isinstance(outcome, UpstreamBroken)]
        assert 0 < len(broken) < 8
        assert outcomes.count(b"a" * size) == 12 - len(broken)
        assert allowance.held == 0
