"""Bodies of any size pass through without being kept, and a cut one never looks whole."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy.demo import Demo
from tests.support.proxy import Running, running
from tests.support.raw_client import RawClient, Truncated, connected
from tests.support.raw_upstream import CLOSE, READ_BODY, RESET, STAY, RawUpstream, Script, response

SIZE = 256 << 20  # bytes of a large body
BLOCK = bytes(1 << 20)
CHUNK = b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK)
BLOCKS = SIZE // len(BLOCK)
PAGE = os.sysconf("SC_PAGE_SIZE")
ALLOWED = 16 << 20  # bytes that memory may grow by, all three parties in this process together


def memory() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


class Stage:
    """The proxy before a scripted upstream, and alice's token."""

    def __init__(self, proxy: Running, upstream: RawUpstream, token: str) -> None:
        self.proxy = proxy
        self.upstream = upstream
        self.token = token

    def head(self, *fields: str, method: str = "GET") -> bytes:
        lines = [
            f"{method} /orders HTTP/1.1",
            "Host: proxy",
            f"Authorization: Bearer {self.token}",
            *fields,
            "",
            "",
        ]
        return "\r\n".join(lines).encode()

    @asynccontextmanager
    async def call(self, *fields: str, method: str = "GET") -> AsyncIterator[RawClient]:
        """A connection on which the head has been sent."""
        async with connected(self.proxy.server.address) as client:
            await client.send(self.head(*fields, method=method))
            yield client


@asynccontextmanager
async def stage(*scripts: Script) -> AsyncIterator[Stage]:
    async with Demo() as demo, RawUpstream(*scripts) as upstream:
        raw = demo.settings()
        raw["routes"] = [raw["routes"][0] | {"upstream": upstream.url}]
        async with running(raw) as proxy:
            yield Stage(proxy, upstream, demo.mint("alice"))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
WITH_LENGTH = [HEAD + b"Content-Length: %d\r\n\r\n" % SIZE, *[BLOCK] * BLOCKS]
CHUNKED = [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[CHUNK] * BLOCKS, b"0\r\n\r\n"]


@pytest.mark.parametrize("script", [WITH_LENGTH, CHUNKED], ids=["length", "chunked"])
async def test_a_large_response(script: Script):
    """F-23: memory does not grow with the size of a response."""
    async with stage(script) as on, on.call() as client:
        received = len(await client.some())
        before = peak = memory()
        while received < SIZE:
            received += len(await client.some())
            peak = max(peak, memory())
    assert peak - before < ALLOWED


@pytest.mark.parametrize(
    "framing", [f"Content-Length: {SIZE}", "Transfer-Encoding: chunked"], ids=["length", "chunked"]
)
async def test_a_large_request(framing: str):
    """F-24: memory does not grow with the size of a request."""
    chunked = "chunked" in framing
    async with stage([READ_BODY, response()]) as on, on.call(framing, method="POST") as client:
        await client.send(CHUNK if chunked else BLOCK)
        before = peak = memory()
        for _ in range(BLOCKS - 1):
            await client.send(CHUNK if chunked else BLOCK)
            peak = max(peak, memory())
        if chunked:
            await client.send(b"0\r\n\r\n")
        assert (await client.response()).status == 200
        assert on.upstream.body_sizes == [SIZE]
        assert f"\r\n{framing.lower()}\r\n".encode() in on.upstream.requests[0]
    assert peak - before < ALLOWED


async def test_a_slow_reader_holds_the_upstream_back():
    """F-23: what nobody reads is not fetched, and others are served meanwhile."""
    async with stage(WITH_LENGTH, [response(b"quick")]) as on, on.call() as slow:
        slow.writer.transport.pause_reading()
        before = memory()
        connection = on.upstream.connections[0] if on.upstream.connections else None
        while connection is None or not connection.is_held_back:
            await asyncio.sleep(0)
            connection = on.upstream.connections[0] if on.upstream.connections else None
        for _ in range(20):
            async with on.call() as quick:
                assert (await quick.response()).body == b"quick"
        assert connection.is_held_back
        assert memory() - before < ALLOWED


async def test_events_are_relayed_as_they_come():
    """H-65: the head before the first event, and each event before the next is even made."""
    gates = [asyncio.Event() for _ in range(4)]
    events = [b"data: %d\n\n" % number for number in range(3)]
    steps = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    script = [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        *(step for gate, data in zip(gates, [*steps, b"0\r\n\r\n"], strict=True) for step in (gate, data)),
    ]
    async with stage(script) as on, on.call() as client:
        head = await client.some()
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert head.endswith(b"\r\n\r\n")
        for gate, event in zip(gates, events, strict=False):
            gate.set()
            assert event in await client.some()
        gates[-1].set()
        assert (await client.some()).endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("ending", [CLOSE, RESET], ids=["closed", "reset"])
@pytest.mark.parametrize(
    "beginning",
    [HEAD + b"Content-Length: 10\r\n\r\n12345", HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"],
    ids=["length", "chunked"],
)
async def test_a_cut_response_never_looks_whole(beginning: bytes, ending: object):
    """F-10: an upstream that dies within the body cuts the caller's response as visibly."""
    async with stage([beginning, ending]) as on, on.call() as client:
        with pytest.raises((Truncated, ConnectionResetError)):
            await client.response()


@pytest.mark.parametrize("body", [b"zz\r\n", b"5\r\nhello\r\n-1\r\n"], ids=["at once", "behind a chunk"])
async def test_a_response_that_breaks_with_its_head_is_answered(body: bytes):
    """F-11: as long as nothing was sent to the caller there is an answer; the connection serves on."""
    script = [HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body, STAY]
    async with stage(script, [response(b"sound")]) as on, on.call() as client:
        broken = await client.response()
        assert (broken.status, json.loads(broken.body)["code"]) == (502, "upstream_protocol_error")
        await client.send(on.head())
        assert (await client.response()).body == b"sound"


async def test_a_cut_response_is_a_reset_where_framing_cannot_tell():
    """F-10: an HTTP/1.0 caller, whose response ends with the connection, sees a reset instead."""
    script = [HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", CLOSE]
    async with stage(script) as on, connected(on.proxy.server.address) as client:
        await client.send(on.head().replace(b"HTTP/1.1", b"HTTP/1.0"))
        with pytest.raises(ConnectionResetError):
            await client.rest()


UNTIL_LEFT = {
    "waiting for a head": ([STAY], []),
    "amid a response": ([HEAD + b"Content-Length: 10\r\n\r\n12345", STAY], []),
    "amid a request": ([READ_BODY, STAY], ["Content-Length: 100000"]),
}


@pytest.mark.parametrize(("script", "fields"), UNTIL_LEFT.values(), ids=UNTIL_LEFT.keys())
async def test_a_caller_who_leaves_frees_the_upstream(script: Script, fields: list[str]):
    """F-20: the upstream's connection is closed, and the pool's place is free again."""
    async with stage(script) as on:
        async with on.call(*fields, method="POST" if fields else "GET") as client:
            await client.send(b"x" * 70_000 if fields else b"")
            while not on.upstream.requests:
                await asyncio.sleep(0)
            client.reset()
            async with asyncio.timeout(5):
                await on.upstream.connections[0].closed.wait()
        pool = on.proxy.app.parts.upstreams["orders"]
        assert (pool.active, pool.idle, pool.waiting) == (0, 0, 0)
