"""Inspections are few, whoever asks for them."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from proxy.admin.throttle import AT_ONCE, BURST, RATE, Throttle
from proxy.demo import Demo
from proxy.runtime import SystemClock
from tests.support.issuer import StillClock
from tests.support.proxy import running

from .visits import inspect, submit

ANYWHERE = "http://127.0.0.1:9090"


async def answer(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def build_client(clock: StillClock, app=answer) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Throttle(app, clock)), base_url=ANYWHERE)


@pytest.mark.parametrize("path", ["/inspect", "/api/inspect"])
async def test_a_burst_and_then_a_rate(path: str):
    """429 says when to come back, and then one is made."""
    clock = StillClock()
    async with build_client(clock) as client:
        for _ in range(3):
            assert [(await client.post(path)).status_code for _ in range(BURST)] == [204] * BURST
            for _ in range(2):
                refused = await client.post(path)
                assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            clock.advance(1 / RATE)
            assert [(await client.post(path)).status_code for _ in range(2)] == [204, 429]
            clock.advance(10 * BURST / RATE)


async def test_everything_else_is_free():
    """The page itself, health, and purging."""
    async with build_client(StillClock()) as client:
        for _ in range(2 * BURST):
            assert (await client.get("/")).status_code == 204
            assert (await client.post("/api/purge")).status_code == 204
            assert (await client.get("/api/inspect")).status_code == 204


async def test_few_at_once():
    """Where the authorization server is slow nobody piles up exchanges on it; refused ones take nothing."""
    release, begun = asyncio.Event(), 0

    async def wait(scope, receive, send) -> None:
        nonlocal begun
        begun += 1
        await release.wait()
        await answer(scope, receive, send)

    async with build_client(StillClock(), wait) as client:
        waiting = [asyncio.create_task(client.post("/api/inspect")) for _ in range(AT_ONCE)]
        while begun < AT_ONCE:
            await asyncio.sleep(0)
        assert (await client.post("/api/inspect")).status_code == 429
        leaving = waiting.pop()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        release.set()
        assert (await client.post("/api/inspect")).status_code == 204
        assert [each.status_code for each in await asyncio.gather(*waiting)] == [204] * (AT_ONCE - 1)


class Paused(SystemClock):
    """Tokens are as old as they are, but nothing lasts."""

    monotonic = staticmethod(lambda: 1000.0)


async def test_program_and_page_share_it(demo: Demo):
    """No exchange is made beyond it."""
    token = demo.mint("alice")
    async with running(demo.settings(), clock=Paused()) as proxy:
        for _ in range(BURST - 1):
            assert (await inspect(proxy, token)).status_code == 200
        for status in (200, 429):
            page = await submit(proxy, "/inspect", token=token, route="orders")
            assert page.status_code == status
        assert (await inspect(proxy, token)).status_code == 429
    assert demo.calls["token_exchange"] == BURST
