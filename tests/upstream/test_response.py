"""A response's body as it is read: whole, cut, late or given up."""

import asyncio

import pytest

from proxy.errors import (
    UpstreamBroken,
)
from tests.support.raw_upstream import (
    CLOSE,
    RESET,
    STAY,
    RawUpstream,
)

from .requests import CHUNKED, HEAD, Connect, fetch, read_all, send


async def test_until_close(connect: Connect) -> None:
    """A body without a length is whole at the end of the connection, and that is not reused."""
    async with RawUpstream([HEAD + b"\r\nabc", b"def", CLOSE]) as raw:
        upstream = connect(raw.url)
        assert await fetch(upstream) == (200, b"abcdef")
        assert (upstream.active, upstream.idle) == (0, 0)


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["FIN", "RST"])
@pytest.mark.parametrize(
    "start",
    [HEAD + b"Content-Length: 9\r\n\r\nabc", CHUNKED + b"3\r\nabc\r\n", CHUNKED + b"3\r\nabc\r\n0\r\n"],
    ids=["length", "chunked", "last chunk"],
)
async def test_truncation(connect: Connect, start: bytes, end: object) -> None:
    """F-10: a body that is cut gives what came and then breaks, whichever way it was cut."""
    gate = asyncio.Event()
    async with RawUpstream([start, gate, end]) as raw:
        upstream = connect(raw.url)
        answer = await send(upstream)
        assert await answer.read() == b"abc"
        gate.set()
        with pytest.raises(UpstreamBroken):
            await answer.read()
        with pytest.raises(UpstreamBroken):
            await answer.read()
        answer.close()
        assert upstream.active == 0


async def test_reset_is_no_end(connect: Connect) -> None:
    """F-10: a body without a length that ends in a reset is cut, not whole."""
    gate = asyncio.Event()
    async with RawUpstream([HEAD + b"\r\nabc", gate, RESET]) as raw:
        answer = await send(connect(raw.url))
        assert await answer.read() == b"abc"
        gate.set()
        with pytest.raises(UpstreamBroken):
            await answer.read()


async def test_malformed_chunk(connect: Connect) -> None:
    """F-10: a fault in the chunks breaks the response that has begun."""
    gate = asyncio.Event()
    async with RawUpstream([CHUNKED + b"1\r\na\r\n", gate, b"zz\r\n", STAY]) as raw:
        answer = await send(connect(raw.url))
        assert await answer.read() == b"a"
        gate.set()
        with pytest.raises(UpstreamBroken):
            await read_all(answer)


async def test_idle_timeout(connect: Connect) -> None:
    """F-14: a body that stalls while we wait for it breaks."""
    async with RawUpstream([HEAD + b"Content-Length: 2\r\n\r\na", STAY]) as raw:
        answer = await send(connect(raw.url, idle=0.05))
        assert await answer.read() == b"a"
        with pytest.raises(UpstreamBroken, match="stalled"):
            await answer.read()


async def test_slow_reader_is_no_idle_upstream(connect: Connect) -> None:
    """F-14: while nobody waits for it the upstream's idle time does not run."""
    async with RawUpstream([HEAD + b"Content-Length: 2\r\n\r\na", asyncio.Event()]) as raw:
        upstream = connect(raw.url, idle=0.05)
        answer = await send(upstream)
        await asyncio.sleep(0.3)  # six times the idle time
        assert answer.take() == (b"a", False)
        assert upstream.active == 1
        answer.close()


async def test_close_in_the_middle(connect: Connect) -> None:
    """F-20: a response that is given up ends its connection, and the upstream sees that."""
    async with RawUpstream([HEAD + b"Content-Length: 9\r\n\r\nabc", STAY]) as raw:
        upstream = connect(raw.url)
        answer = await send(upstream)
        answer.close()
        await raw.connections[0].closed.wait()
        assert (upstream.active, upstream.idle) == (0, 0)
        assert answer.take() == (b"abc", False)
