"""Whoever holds connections to an API for long keeps no other user from it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from proxy.demo import Demo
from proxy.upstream.pool import SMALL_BODY, Upstream
from tests.support.proxy import Running, running
from tests.support.raw_client import RawClient, connected
from tests.support.raw_upstream import READ_BODY, STAY, RawUpstream, Script, response

PLACES = 8
ALONE = 6  # that one user may hold
QUEUE_TIME = 1.0  # s
HEAD = b"HTTP/1.1 200 OK\r\n"
SCRIPTS: dict[bytes, Script] = {
    b"quick": [response(b"quick")],
    b"upload": [READ_BODY, STAY],
    b"download": [HEAD + b"Content-Length: 1073741824\r\n\r\n", *[bytes(1 << 20)] * 1024],
    b"events": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"6\r\ndata: \r\n", STAY],
    b"silence": [STAY],
}
GIB = "Content-Length: 1073741824"


class API(RawUpstream):
    """Answers by the last part of the path."""

    def next_script(self) -> Script:
        return SCRIPTS[self.requests[-1].split(b" ", 2)[1].rpartition(b"/")[2]]


class Stage:
    def __init__(self, demo: Demo, proxy: Running, api: API) -> None:
        self.demo = demo
        self.api = api
        self._proxy = proxy
        self._clients = AsyncExitStack()

    @property
    def pool(self) -> Upstream:
        (pool,) = self._proxy.app.parts.upstreams.values()
        return pool

    async def begin(self, path: str, *fields: str, body: bytes = b"", user: str | None = None) -> RawClient:
        """A connection on which a request has been sent, and which reads nothing unless told to."""
        client = await self._clients.enter_async_context(connected(self._proxy.server.address))
        client.writer.transport.pause_reading()
        method = "POST" if body else "GET"
        lines = [f"{method} {path} HTTP/1.1", "Host: proxy", *fields]
        if user is not None:
            lines.append(f"Authorization: Bearer {self.demo.mint(user)}")
        await client.send("\r\n".join([*lines, "", ""]).encode() + body)
        return client

    async def until(self, active: int, waiting: int = 0) -> None:
        async with asyncio.timeout(20):
            while (self.pool.active, self.pool.waiting) != (active, waiting):
                await asyncio.sleep(0.005)

    async def aclose(self) -> None:
        await self._clients.aclose()


async def read_answer(client: RawClient) -> tuple[int, Any]:
    client.writer.transport.resume_reading()
    answer = await client.response()
    if answer.status == 503:
        assert answer.header(b"retry-after") == b"1"
        return 503, json.loads(answer.body)["code"]
    return answer.status, answer.body


@asynccontextmanager
async def stage(route: str = "orders", **listen: Any) -> AsyncIterator[Stage]:
    async with Demo() as demo, API() as api:
        raw = demo.settings(listen=listen)
        (chosen,) = (one for one in raw["routes"] if one["name"] == route)
        timeouts = {"connect": f"{QUEUE_TIME}s"}
        raw["routes"] = [chosen | {"upstream": api.url, "max_connections": PLACES, "timeouts": timeouts}]
        async with running(raw) as proxy:
            on = Stage(demo, proxy, api)
            try:
                yield on
            finally:
                await on.aclose()


WAYS: dict[str, tuple[str, list[str], bytes]] = {
    "slow bodies": ("upload", [GIB], bytes(SMALL_BODY)),
    "slow readers": ("download", [], b""),
    "streams": ("events", [], b""),
    "long answers": ("silence", [], b""),
}


@pytest.mark.parametrize(("path", "fields", "body"), WAYS.values(), ids=WAYS)
async def test_one_user_leaves_connections_for_the_others(path: str, fields: list[str], body: bytes):
    """F-25, F-23, F-24: who holds as many as one may is told to come back; others are served at once."""
    async with stage() as on:
        for _ in range(ALONE):
            await on.begin(f"/orders/{path}", *fields, body=body, user="bob")
        await on.until(ALONE)
        waiting = [await on.begin("/orders/quick", user="bob") for _ in range(2)]
        await on.until(ALONE, waiting=2)
        for _ in range(3):
            quick = await on.begin("/orders/quick", user="alice")
            assert await read_answer(quick) == (200, b"quick")
        for client in waiting:
            assert await read_answer(client) == (503, "overloaded")
        assert on.pool.active == ALONE


async def test_whoever_waited_is_served_as_soon_as_there_is_room():
    """F-25, F-22: a user's own departures make room for that user."""
    async with stage() as on:
        held = [await on.begin("/orders/events", user="bob") for _ in range(ALONE)]
        await on.until(ALONE)
        waiting = await on.begin("/orders/quick", user="bob")
        await on.until(ALONE, waiting=1)
        held[0].reset()
        assert await read_answer(waiting) == (200, b"quick")


@pytest.mark.parametrize(
    ("field", "body"),
    [("Content-Length: 1000", b"a"), ("Transfer-Encoding: chunked", b"1\r\na\r\n"), (GIB, b"a" * 1000)],
    ids=["length", "chunked", "large"],
)
async def test_a_body_that_has_hardly_begun_holds_nothing(field: str, body: bytes):
    """F-24, F-25: however many there are, by whomever."""
    async with stage() as on:
        slow = [await on.begin("/orders/upload", field, body=body, user="bob") for _ in range(2 * PLACES)]
        quick = await on.begin("/orders/quick", user="bob")
        assert await read_answer(quick) == (200, b"quick")
        assert (on.pool.active, on.pool.idle, len(on.api.connections)) == (0, 1, 1)
        assert len(slow) == 2 * PLACES


@pytest.mark.parametrize("trusted", [(), ("127.0.0.0/8",)], ids=["by peer", "by whom a trusted peer names"])
async def test_where_no_user_is_known_the_address_counts(trusted: tuple[str, ...]):
    """F-25: the socket's, or the last one that a proxy in front says."""
    async with stage("public", trusted_proxies=list(trusted)) as on:
        for _ in range(ALONE):
            await on.begin("/public/silence", "X-Forwarded-For: 192.0.2.9, 192.0.2.1")
        await on.until(ALONE)
        same = await on.begin("/public/quick", "X-Forwarded-For: 192.0.2.8, 192.0.2.1")
        other = await on.begin("/public/quick", "X-Forwarded-For: 192.0.2.1, 192.0.2.2")
        served, refused = (200, b"quick"), (503, "overloaded")
        assert await read_answer(other) == (served if trusted else refused)
        assert await read_answer(same) == refused
