"""Callers who leave at any moment, more of them than there are places."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from proxy.demo import Demo
from tests.support.proxy import Running, running
from tests.support.raw_client import RawClient, connected
from tests.support.raw_upstream import READ_BODY, STAY, RawUpstream, Script, response

PLACES = 8
CROWD = 5 * PLACES
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SCRIPTS: dict[bytes, Script] = {
    b"/orders/quick": [READ_BODY, response(b"quick")],
    b"/orders/pieces": [READ_BODY, HEAD, b"5\r\nhello\r\n", b"0\r\n\r\n"],
    b"/orders/endless": [HEAD, b"5\r\nhello\r\n", STAY],
    b"/orders/silent": [STAY],
}
ENDLESS = (b"/orders/endless", b"/orders/silent")
REMEMBERED = 1000  # requests
PAGE = os.sysconf("SC_PAGE_SIZE")


class Busy(RawUpstream):
    """Answers by path; ``/orders/held`` waits for ``gate``."""

    gate: asyncio.Event

    def next_script(self) -> Script:
        target = self.requests[-1].split(b" ", 2)[1]
        return SCRIPTS.get(target) or [self.gate, response(b"held")]

    def forget(self) -> None:
        """Keep nothing of what is over."""
        self.requests.clear()
        self.connections = [one for one in self.connections if not one.closed.is_set()]


class Stage:
    """``tokens`` are as many users' as there are places: one alone could not take them all."""

    def __init__(self, proxy: Running, upstream: Busy, tokens: list[str]) -> None:
        self.proxy = proxy
        self.upstream = upstream
        self.tokens = [token.encode() for token in tokens]
        self.left = self.served = 0
        self._chance = random.Random(22)

    def request(self, token: bytes, target: bytes, *fields: bytes) -> bytes:
        method = b"POST" if fields else b"GET"
        lines = [
            b"%b %b HTTP/1.1" % (method, target),
            b"Host: proxy",
            b"Authorization: Bearer " + token,
            *fields,
        ]
        return b"\r\n".join([*lines, b"", b""])

    async def churn(self, more: Callable[[], bool]) -> None:
        """A crowd of callers, each coming again as long as there is ``more``."""
        await asyncio.gather(*(self._come_again(more) for _ in range(CROWD)))

    async def _come_again(self, more: Callable[[], bool]) -> None:
        while more():
            async with connected(self.proxy.server.address) as client:
                await self._visit(client)
            if len(self.upstream.requests) > REMEMBERED:
                self.upstream.forget()

    async def _visit(self, client: RawClient) -> None:
        chance = self._chance
        target = chance.choice(tuple(SCRIPTS))
        body = chance.choice(
            [(), (b"Content-Length: 5",), (b"Content-Length: 500000",), (b"Transfer-Encoding: chunked",)]
        )
        token = chance.choice(self.tokens)
        await client.send(self.request(token, target, *body) + (b"5\r\nhello\r\n0\r\n\r\n" if body else b""))
        if target not in ENDLESS and not body and chance.random() < 0.5:
            assert (await client.response()).status in {200, 503}
            self.served += 1
            return
        for _ in range(chance.choice([0, 1, 5, 50])):
            await asyncio.sleep(0)
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() * 0.02)
        self.left += 1
        if chance.random() < 0.5:
            client.reset()

    async def is_at_rest(self) -> None:
        """Waits until nobody is being served: every place of the pool is free or idle."""
        pool = self.proxy.app.parts.upstreams["orders"]
        async with asyncio.timeout(20):
            while pool.active or pool.waiting or self.proxy.server._data.connections:
                await asyncio.sleep(0.01)

    async def fill(self) -> None:
        """As many at once as there are places, and all of them served."""
        self.upstream.gate.clear()
        self.upstream.forget()
        callers = [asyncio.ensure_future(self._hold(token)) for token in self.tokens]
        async with asyncio.timeout(20):
            while len(self.upstream.requests) < PLACES:
                await asyncio.sleep(0.005)
        self.upstream.gate.set()
        assert await asyncio.gather(*callers) == [b"held"] * PLACES

    async def _hold(self, token: bytes) -> bytes:
        async with connected(self.proxy.server.address) as client:
            await client.send(self.request(token, b"/orders/held"))
            return (await client.response()).body


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def memory() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    async with Demo() as demo, Busy() as upstream:
        upstream.gate = asyncio.Event()
        raw = demo.settings()
        raw["routes"] = [raw["routes"][0] | {"upstream": upstream.url, "max_connections": PLACES}]
        async with running(raw) as proxy:
            yield Stage(proxy, upstream, [demo.mint(f"user{number}") for number in range(PLACES)])
