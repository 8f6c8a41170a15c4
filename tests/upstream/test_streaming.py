"""F-23, F-24: what streams through takes no memory for its size, whichever side is slow."""

import asyncio
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from tests.support.raw_upstream import READ_BODY, START_READING, STOP_READING, RawUpstream, response

from .requests import Body, Connect, fetch, send, until

SIZE = 64 * 1024 * 1024
PIECE = bytes(256 * 1024)
BOUND = (
    8 * 1024 * 1024
)  # what both ends in this process and the kernel's copies may take, an eighth of the body


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_download(connect: Connect, peak: Callable[[], int], chunked: bool) -> None:
    """F-23: 64 MiB down."""
    piece = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % SIZE
    script = [b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n", *[piece] * (SIZE // len(PIECE))]
    if chunked:
        script.append(b"0\r\n\r\n")
    async with RawUpstream(script) as raw:
        upstream = connect(raw.url)
        answer = await send(upstream)
        received = 0
        while data := await answer.read():
            received += len(data)
        assert received == SIZE
        assert upstream.idle == 1
    assert peak() < BOUND


async def test_slow_reader(connect: Connect, peak: Callable[[], int]) -> None:
    """F-23: a reader that takes nothing stops the upstream, and 64 MiB wait where they are."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE
    async with RawUpstream([head, *[PIECE] * (SIZE // len(PIECE))]) as raw:
        answer = await send(connect(raw.url))
        await until(lambda: bool(raw.connections[0].transport.get_write_buffer_size()))
        await asyncio.sleep(0.1)  # more than enough time for all of it, were it not held back
        assert answer.buffered < 1024 * 1024
        assert peak() < BOUND
        answer.close()


@pytest.mark.parametrize("length", [SIZE, None], ids=["length", "chunked"])
async def test_upload(connect: Connect, peak: Callable[[], int], length: int | None) -> None:
    """F-24: 64 MiB up."""
    async with RawUpstream([READ_BODY, response()]) as raw:
        pieces = (PIECE for _ in range(SIZE // len(PIECE)))
        assert await fetch(connect(raw.url), b"POST", body=Body(pieces, length)) == (200, b"")
        assert raw.body_sizes == [SIZE]
    assert peak() < BOUND


async def test_upload_is_held_back(connect: Connect) -> None:
    """F-24: an upstream that does not read stops the reading of the body."""
    gate = asyncio.Event()
    read: list[int] = []

    def pieces() -> Iterator[bytes]:
        for _ in range(SIZE // len(PIECE)):
            read.append(len(PIECE))
            yield PIECE

    async with RawUpstream([STOP_READING, gate, START_READING, READ_BODY, response()]) as raw:
        request = asyncio.ensure_future(fetch(connect(raw.url), b"POST", body=Body(pieces(), SIZE)))
        await until(lambda: bool(raw.requests))
        await asyncio.sleep(0.1)  # more than enough time for all of it, were it not held back
        assert sum(read) < SIZE // 2
        gate.set()
        assert await request == (200, b"")
        assert sum(read) == SIZE
