"""A request's body on its way upstream."""

import asyncio
from collections.abc import Iterator

import pytest

from proxy.errors import (
    BadRequest,
    DownstreamDeparted,
    RequestTooLarge,
    UpstreamTimeout,
)
from proxy.upstream.body import FramedBody
from proxy.upstream.pool import SMALL_BODY
from tests.support.raw_upstream import (
    READ_BODY,
    STAY,
    STOP_READING,
    RawUpstream,
    response,
)

from .requests import BEGUN, CHUNKED, Body, Connect, fetch, send


async def test_upload_that_is_not_taken(connect: Connect) -> None:
    """F-14: an upstream that stops reading the upload times out by the idle time."""
    async with RawUpstream([STOP_READING, STAY]) as raw:
        with pytest.raises(UpstreamTimeout):
            await send(connect(raw.url, idle=0.05), b"POST", body=Body(bytes(65536) for _ in range(1000)))


@pytest.mark.parametrize(
    ("pieces", "length"),
    [
        ([b"hello"], 5),
        ([b"he", b"llo"], 5),
        ([], 0),
        ([b"hello"], None),
        ([b"he", b"llo"], None),
        ([], None),
        ([bytes(50_000), bytes(50_000)], 100_000),
    ],
    ids=["whole", "in two", "empty", "one chunk", "two chunks", "no chunk", "large"],
)
async def test_bodies(connect: Connect, pieces: list[bytes], length: int | None) -> None:
    """H-21: a request body arrives as it was sent, counted or chunked, and the connection is reused."""
    async with RawUpstream([READ_BODY, response(b"done")]) as raw:
        upstream = connect(raw.url)
        for _ in range(2):
            assert await fetch(upstream, b"POST", body=Body(pieces, length)) == (200, b"done")
        whole = b"".join(pieces)
        assert raw.bodies == [whole[:65536]] * 2
        assert raw.body_sizes == [len(whole)] * 2
        assert len(raw.connections) == 1


@pytest.mark.parametrize("size", [5, 100_000])
@pytest.mark.parametrize("wrong", [-1, 1], ids=["short", "long"])
async def test_body_length_is_kept(connect: Connect, size: int, wrong: int) -> None:
    """H-21: a body that is not as long as its head says is never taken for it, nor its rest for a request."""
    async with RawUpstream([READ_BODY, response()]) as raw:
        upstream = connect(raw.url)
        with pytest.raises(BadRequest):
            await send(upstream, b"POST", body=Body([b"a" * (size + wrong)], size))
        assert (upstream.active, upstream.idle) == (0, 0)
        assert len(raw.requests) <= 1
        assert all(got < size for got in raw.body_sizes)


@pytest.mark.parametrize(
    ("pieces", "length"),
    [
        ([b"a"], 2),
        ([b"a"], None),
        ([bytes(1000)] * 64, SMALL_BODY),
        ([bytes(1000)] * 64, None),
        ([bytes(1000)] * 65, 1 << 30),
        ([bytes(SMALL_BODY - 1)], None),
    ],
    ids=["length", "chunked", "length, almost whole", "chunked, almost enough", "large", "one byte short"],
)
async def test_a_slow_body_takes_no_connection(
    connect: Connect, pieces: list[bytes], length: int | None
) -> None:
    """F-24, F-25: a small body is read whole, of a large one the beginning, before a connection is taken."""
    taken = asyncio.Event()

    def slow() -> Iterator[bytes | asyncio.Event]:
        yield from pieces
        taken.set()
        yield asyncio.Event()

    async with RawUpstream() as raw:
        upstream = connect(raw.url)
        request = asyncio.ensure_future(send(upstream, b"POST", body=Body(slow(), length)))
        await taken.wait()
        await asyncio.sleep(0.01)
        assert upstream.active == 0
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        assert raw.connections == []


@pytest.mark.parametrize(
    ("pieces", "length", "sent"),
    [
        ([b"he", b"llo"], 5, b"hello"),
        ([b"he", b"llo"], None, b"5\r\nhello\r\n0\r\n\r\n"),
        ([], None, b"0\r\n\r\n"),
        ([b"a"] * 70_000, None, b"10000\r\n%b\r\n" % (b"a" * SMALL_BODY)),
        ([bytes(SMALL_BODY)], SMALL_BODY + 1, bytes(SMALL_BODY)),
    ],
    ids=["length", "chunked", "empty", "many pieces", "large"],
)
async def test_the_beginning_of_a_body_is_one_piece(
    pieces: list[bytes], length: int | None, sent: bytes
) -> None:
    """F-24, F-36: however small the pieces are that the caller sends."""
    body = FramedBody(Body(pieces, length))
    assert await body.begin(SMALL_BODY) == sent
    assert body.ended == (len(sent) < SMALL_BODY)


@pytest.mark.parametrize("error", [DownstreamDeparted(), RequestTooLarge()])
@pytest.mark.parametrize("length", [None, 5, 1_000_000])
async def test_body_that_raises(connect: Connect, error: Exception, length: int | None) -> None:
    """F-20, F-24: what ends the upload reaches the caller, and the upstream sees its connection end."""
    async with RawUpstream([READ_BODY, response()]) as raw:
        upstream = connect(raw.url)
        with pytest.raises(type(error)):
            await send(upstream, b"POST", body=Body([b"a", error], length))
        assert (upstream.active, upstream.idle) == (0, 0)
        for connection in raw.connections:
            await connection.closed.wait()


async def test_body_that_raises_while_the_response_is_read(connect: Connect) -> None:
    """F-20: the reader of an early response hears of it as well."""
    gate = asyncio.Event()
    async with RawUpstream([CHUNKED + b"1\r\na\r\n", STAY]) as raw:
        answer = await send(connect(raw.url), b"POST", body=Body([BEGUN, gate, DownstreamDeparted()]))
        assert await answer.read() == b"a"
        gate.set()
        with pytest.raises(DownstreamDeparted):
            await answer.read()
