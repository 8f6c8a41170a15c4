"""What a websocket's upstream may make the proxy keep, and for how long; its end is a bare socket."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.frames import Close, Frame, Opcode

from proxy.demo import Demo
from proxy.websockets.allowance import MESSAGES
from tests.support.proxy import running
from tests.support.raw_websocket import SMALL, RawWebSocket, knocking, raw_websocket_api
from tests.support.websocket import settings_for

MUCH = 4 * 1024 * 1024  # bytes: far more than all buffers on the way
Ends = tuple[RawWebSocket, RawWebSocket]


@pytest.fixture
def opened(demo: Demo, tmp_path: Path):
    """Opens a websocket: the caller's end and the upstream's."""

    @asynccontextmanager
    async def open_one() -> AsyncIterator[Ends]:
        with raw_websocket_api(tmp_path / "s") as api:
            async with running(settings_for(demo, api)) as proxy:
                for sock in proxy.server._data._server.sockets:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
                async with knocking(proxy.server.address, "/public") as client:
                    server = await api.accept()
                    with server.sock:
                        await client.head()
                        yield client, server

    return open_one


@pytest.mark.parametrize("data", [b"x" * 125, b""], ids=["full", "empty"])
async def test_an_upstream_that_does_not_read_its_pongs_is_not_read(opened, data):
    """H-63, F-36: what waits is bounded, and nothing is lost once it reads."""
    async with opened() as (client, server):
        pings = server.build(Opcode.PING, data) * 1000
        sent = await server.flood(pings, MUCH)
        assert sent < MUCH / 4
        end = asyncio.ensure_future(server.send(server.owed + server.build(Opcode.TEXT, b"end")))
        for _ in range(-(-sent // len(pings)) * 1000):
            await server.expect(Opcode.PONG, data)
        await end
        await client.expect(Opcode.TEXT, b"end")


@pytest.mark.parametrize("data", [b"", b"ab"])
async def test_messages_that_nobody_takes_wait_as_bytes(opened, data):
    """F-36: a frame that is parsed may take a hundred times what it took on the wire."""
    async with opened() as (client, server):
        messages = server.build(Opcode.BINARY, data) * 20_000
        sent = await server.flood(messages, 100_000)
        frames = sum(type(one) is Frame for one in gc.get_objects())
        assert frames < 5000
        end = asyncio.ensure_future(server.send(server.owed + server.build(Opcode.TEXT, b"end")))
        for _ in range(-(-sent // len(messages)) * 20_000):
            await client.expect(Opcode.BINARY, data)
        await client.expect(Opcode.TEXT, b"end")
        await end


@pytest.mark.parametrize("side", ["caller", "upstream"])
async def test_any_number_of_fragments_is_one_message(opened, side):
    """H-63, F-36: also of empty ones, which take no memory."""
    async with opened() as (client, server):
        source, sink = (client, server) if side == "caller" else (server, client)
        await source.send(source.build(Opcode.TEXT, fin=False))
        for _ in range(20):
            await source.send(source.build(Opcode.CONT, fin=False) * 1000)
        await source.send(source.build(Opcode.CONT, b"x", fin=False) * 10_000)
        await source.send(source.build(Opcode.CONT))
        assert await sink.frame() == (Opcode.TEXT, b"x" * 10_000)


async def test_an_upstream_that_says_close_and_does_not(opened):
    """H-63: the caller need not wait for the end of its connection."""
    async with opened() as (client, server):
        await server.send(server.build(Opcode.TEXT, b"last words"))
        await server.send(server.build(Opcode.CLOSE, Close(4000, "done").serialize()))
        assert await client.frame() == (Opcode.TEXT, b"last words")
        assert await client.frame() == (Opcode.CLOSE, Close(4000, "done").serialize())


async def test_text_of_the_upstream_that_is_none(opened):
    """H-63: 1007 for the upstream, 1011 for the caller, who has done nothing."""
    async with opened() as (client, server):
        await server.send(server.build(Opcode.TEXT, b"\xff"))
        opcode, data = await server.frame()
        assert (opcode, Close.parse(data).code) == (Opcode.CLOSE, 1007)
        opcode, data = await client.frame()
        assert (opcode, Close.parse(data).code) == (Opcode.CLOSE, 1011)


@pytest.fixture
def short_periods(monkeypatch):
    monkeypatch.setattr("proxy.upstream.websocket_connection.PING_PERIOD", 0.1)


@pytest.mark.usefixtures("short_periods")
async def test_an_upstream_that_is_silent_although_asked(opened):
    """H-63: given up."""
    async with opened() as (client, server):
        assert await server.frame() == (Opcode.PING, b"")
        opcode, data = await client.frame()
        assert (opcode, Close.parse(data).code) == (Opcode.CLOSE, 1011)


@pytest.mark.usefixtures("short_periods")
async def test_an_upstream_that_neither_reads_nor_says_a_thing(opened):
    """H-63: no ping reaches it."""
    async with opened() as (client, _):
        await client.flood(client.build(Opcode.BINARY, b"\0" * 100_000), MUCH)
        while (frame := await client.frame())[0] is Opcode.PING:
            pass
        assert (frame[0], Close.parse(frame[1]).code) == (Opcode.CLOSE, 1011)


@pytest.mark.usefixtures("short_periods")
async def test_an_upstream_that_says_something_is_there(opened):
    """H-63: it need not be a pong."""
    async with opened() as (client, server):
        for _ in range(4):
            assert await server.frame() == (Opcode.PING, b"")
            await server.send(server.build(Opcode.TEXT, b"still there"))
            assert await client.frame() == (Opcode.TEXT, b"still there")


@pytest.mark.usefixtures("short_periods")
async def test_a_slow_caller_is_no_fault_of_the_upstream(opened):
    """H-63: its pong stands behind messages that the caller does not take."""
    async with opened() as (client, server):
        await server.flood(server.build(Opcode.BINARY, b"\0" * 60_000), MUCH)
        for _ in range(3):
            assert await server.frame() == (Opcode.PING, b"")
        for _ in range(3):
            assert await client.frame() == (Opcode.BINARY, b"\0" * 60_000)


async def test_an_unfinished_message_of_the_upstream_is_of_the_allowance(opened, monkeypatch):
    """F-36: both sides are told to try again later."""
    monkeypatch.setattr(MESSAGES, "limit", 150_000)
    async with opened() as (client, server):
        await server.send(server.build(Opcode.BINARY, b"\0" * 200_000, fin=False))
        for end in (server, client):
            opcode, data = await end.frame()
            assert (opcode, Close.parse(data).code) == (Opcode.CLOSE, 1013)
    assert not MESSAGES.held
