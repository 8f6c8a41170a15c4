"""What stays of a websocket that is over: nothing, also where no garbage collector comes (F-36)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import pytest
from websockets.frames import Opcode

from proxy.demo import Demo
from tests.support.proxy import Running, running
from tests.support.raw_websocket import CLOSE, RawWebSocket, RawWebSocketAPI, knocking, raw_websocket_api
from tests.support.websocket import settings_for

TIMES = 3
OURS = {
    "proxy.server.websocket": {"WebSocketProtocol"},
    "proxy.upstream.websocket_connection": {"Connection"},
    "proxy.upstream.websocket_handshake": {"Handshake"},
    "proxy.downstream.websocket": {"DownstreamWebSocket"},
    "proxy.websockets.intake": {"Intake"},
    "proxy.upstream.websocket": {"UpstreamWebSocket"},
    "proxy.gateway.upstream_request": {"UpstreamRequest"},
    "websockets.asyncio.client": {"ClientConnection"},
    "websockets.server": {"ServerProtocol"},
    "websockets.http11": {"Request", "Response"},
    "proxy.server.protocol": {"HttpProtocol"},
    "uvloop.loop": {"TCPTransport"},  # asyncio's refers to itself, whoever uses it
    "_asyncio": {"Task"},
}


def count() -> Counter[str]:
    """What there is of ``OURS``, by name."""
    names = [type(one).__qualname__ for one in gc.get_objects() if is_ours(type(one))]
    return Counter(names)


def is_ours(kind: type) -> bool:
    return kind.__qualname__ in OURS.get(kind.__module__, ())


class Stage:
    """A proxy before a websocket API, both ends of which are bare sockets."""

    def __init__(self, proxy: Running, api: RawWebSocketAPI) -> None:
        self.proxy = proxy
        self.api = api
        self._knocking = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def knocked(self, path: str, fields: str = "", answer: bytes | None = None, *, asked: bool = True):
        """The caller's end, and the API's where it is ``asked``; one pair after the other, so none is mistaken."""
        async with contextlib.AsyncExitStack() as stack:
            async with self._knocking:
                client = await stack.enter_async_context(knocking(self.proxy.server.address, path, fields))
                server = await self.api.accept(answer) if asked else None
            if server is not None:
                stack.enter_context(server.sock)
            yield client, server

    async def refused(self, path: str, status: int, fields: str = "", answer: bytes | None = None) -> None:
        """A handshake that comes to nothing; ``answer`` is the API's, which is asked where there is one."""
        async with self.knocked(path, fields, answer, asked=answer is not None) as (client, server):
            if server is not None:
                server.sock.close()
            assert (await client.head()).startswith(b"HTTP/1.1 %d " % status)
            await client.end()

    @contextlib.asynccontextmanager
    async def opened(self):
        """Both ends of an open websocket, over which a message has passed."""
        async with self.knocked("/public") as (client, server):
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            await client.send(client.build(Opcode.TEXT, b"one"))
            assert await server.frame() == (Opcode.TEXT, b"one")
            yield client, server


async def close(one: RawWebSocket, other: RawWebSocket) -> None:
    """As RFC 6455 §7.1.2 has it, begun by ``one``."""
    await one.send(one.build(Opcode.CLOSE, CLOSE))
    assert await other.frame() == (Opcode.CLOSE, CLOSE)
    await other.send(other.build(Opcode.CLOSE, CLOSE))


async def closed_by_the_caller(stage: Stage) -> None:
    async with stage.opened() as (client, server):
        await close(client, server)
        server.sock.close()
        await client.end()


async def closed_by_the_upstream(stage: Stage) -> None:
    async with stage.opened() as (client, server):
        await close(server, client)
        server.sock.close()
        await client.end()


async def caller_resets(stage: Stage) -> None:
    async with stage.opened() as (client, server):
        client.reset()
        assert (await server.frame())[0] is Opcode.CLOSE


async def upstream_resets(stage: Stage) -> None:
    async with stage.opened() as (client, server):
        server.reset()
        assert (await client.frame())[0] is Opcode.CLOSE
        await client.send(client.build(Opcode.CLOSE, CLOSE))
        await client.end()


async def caller_breaks_the_rules(stage: Stage) -> None:
    async with stage.opened() as (client, server):
        await client.send(b"\xff\x80\0\0\0\0")
        assert (await server.frame())[0] is Opcode.CLOSE
        assert (await client.frame())[0] is Opcode.CLOSE


async def upstream_breaks_the_rules(stage: Stage) -> None:
    async with stage.opened() as (client, server):
        await server.send(b"\xff\x00")
        assert (await client.frame())[0] is Opcode.CLOSE
        await client.send(client.build(Opcode.CLOSE, CLOSE))
        await client.end()


async def upstream_does_not_end(stage: Stage) -> None:
    """It says its close and leaves the connection open."""
    async with stage.opened() as (client, server):
        await close(server, client)
        await client.end()
        await server.end()


async def caller_does_not_read_on(stage: Stage) -> None:
    """In the middle of a message, which the upstream does not take either."""
    async with stage.opened() as (client, server):
        await client.flood(client.build(Opcode.BINARY, b"\0" * 100_000), 1024 * 1024)
        client.reset()
        server.reset()


async def upstream_is_silent(stage: Stage) -> None:
    async with stage.knocked("/public", "", b"") as (client, server):
        assert (await client.head()).startswith(b"HTTP/1.1 504 ")
        await client.end()
        await server.end()


def refused(path: str, status: int, fields: str = "", answer: bytes | None = None) -> Ending:
    return lambda stage: stage.refused(path, status, fields, answer)


Ending = Callable[[Stage], Awaitable[None]]
ENDINGS: dict[str, Ending] = {
    "closed by the caller": closed_by_the_caller,
    "closed by the upstream": closed_by_the_upstream,
    "reset by the caller": caller_resets,
    "reset by the upstream": upstream_resets,
    "a fault of the caller": caller_breaks_the_rules,
    "a fault of the upstream": upstream_breaks_the_rules,
    "an upstream that does not end": upstream_does_not_end,
    "reset in the middle": caller_does_not_read_on,
    "no token": refused("/orders", 401),
    "no route": refused("/nowhere", 404),
    "two versions": refused("/public", 400, "Sec-WebSocket-Version: 8\r\n"),
    "a head too long": refused("/public", 431, f"Connection: {'x, ' * 3000}\r\n"),
    "refused by the upstream": refused("/public", 403, "", b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"),
    "no handshake": refused("/public", 502, "", b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n\r\n"),
    "no HTTP": refused("/public", 502, "", b"nonsense\r\n\r\n"),
    "no answer": upstream_is_silent,
    "cut in the head": refused("/public", 502, "", b"HTTP/1.1 101 "),
}


@pytest.mark.parametrize("name", ENDINGS)
async def test_nothing_stays_of_what_is_over(demo: Demo, name: str):
    """F-36: neither of the two connections, however it ended."""
    timeouts = {"response": "100ms"} if name == "no answer" else {}
    with raw_websocket_api() as api:
        async with running(settings_for(demo, api, timeouts=timeouts)) as proxy:
            stage = Stage(proxy, api)
            await ENDINGS[name](stage)
            await until_idle(proxy)
            with uncollected() as before:
                await asyncio.gather(*(ENDINGS[name](stage) for _ in range(TIMES)))
                await until_idle(proxy)
                assert count() - before == Counter()


async def test_nothing_stays_of_what_is_cut(demo: Demo):
    """F-34, F-36: because the server ends."""
    with raw_websocket_api() as api, uncollected() as before:
        async with contextlib.AsyncExitStack() as opened:
            async with running(settings_for(demo, api)) as proxy:
                stage = Stage(proxy, api)
                for _ in range(TIMES):
                    await opened.enter_async_context(stage.opened())
                assert count()["WebSocketProtocol"] == TIMES
            stays = count() - before
            del stays["TCPTransport"]  # the authorization server's
            assert stays == Counter(Task=1)  # the lifespan's, which ``proxy`` holds


@contextlib.contextmanager
def uncollected() -> Iterator[Counter[str]]:
    """Without the garbage collector; what there is at first, which ``gc.freeze`` leaves out."""
    gc.freeze()
    gc.disable()
    try:
        yield count()
    finally:
        gc.enable()
        gc.unfreeze()


async def until_idle(proxy: Running) -> None:
    """Until no connection and no request is left, and what tells of its end in the next turn has done so."""
    async with asyncio.timeout(15):
        while proxy.app.parts.in_flight.count or proxy.server._data.connections:
            await asyncio.sleep(0.01)
    for _ in range(5):
        await asyncio.sleep(0)
