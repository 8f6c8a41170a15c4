"""A purge that other replicas may not know of: what whoever asked for it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.demo import Demo
from tests.support.demo import decode
from tests.support.proxy import Running, running
from tests.support.redis_server import RedisServer, run_redis, write_shared

from .test_logout import build, log_out
from .visits import submit


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with run_redis(tmp_path) as server:
        yield server


@pytest.fixture
async def proxy(demo: Demo, redis: RedisServer, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(demo.settings(cache={"shared": write_shared(tmp_path, redis)})) as running_proxy:
        token = demo.mint("alice")
        assert (await running_proxy.get("/orders/1", token)).status_code == 200
        yield running_proxy


async def purge(proxy: Running, demo: Demo) -> tuple[int, dict[str, object]]:
    wanted = {"issuer": demo.issuer(), "subject": decode(demo.mint("alice"))["sub"]}
    answer = await proxy.admin.post("/api/purge", json=wanted)
    return answer.status_code, answer.json()


async def until_written(proxy: Running) -> None:
    async with asyncio.timeout(10):
        while proxy.app.parts.store.shared.revocations.owed:
            await asyncio.sleep(0.01)


async def test_a_purge_that_the_store_has_not_taken_is_no_success(demo: Demo, proxy: Running, redis):
    """C-25: 503 with why; the state, its reasons and the metrics tell of it until it is written."""
    assert await purge(proxy, demo) == (200, {"purged": 1})
    await proxy.get("/orders/1", demo.mint("alice"))
    redis.freeze()
    assert await purge(proxy, demo) == (503, {"purged": 1, "shared": "away"})
    status = (await proxy.admin.get("/api/status")).json()
    assert status["status"] == "degraded"
    assert status["cache"]["revocations"]["owed"] == 1
    assert any("purges not written yet" in reason for reason in status["reasons"])
    assert "obo_revocations_owed 1.0" in (await proxy.admin.get("/metrics")).text
    redis.thaw()
    await until_written(proxy)
    status = (await proxy.admin.get("/api/status")).json()
    assert (status["status"], status["cache"]["revocations"]) == ("ready", {"owed": 0, "unheard_for": 0})
    assert await purge(proxy, demo) == (200, {"purged": 0})


async def test_a_store_that_takes_nothing_is_told_apart(demo: Demo, proxy: Running, redis):
    """C-25: full, or read-only: that is for its operator to mend."""
    await redis.configure("CONFIG", "SET", "maxmemory", "1")
    assert await purge(proxy, demo) == (503, {"purged": 1, "shared": "refused"})


async def test_a_logout_that_the_store_has_not_taken_has_failed(demo: Demo, proxy: Running, redis):
    """§2.8: 400, not to be stored; the issuer may say it again, by the very token."""
    token = build(demo)
    await redis.configure("CONFIG", "SET", "maxmemory", "1")
    answer = await log_out(proxy, token)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert answer.headers["cache-control"] == "no-store"
    assert len(proxy.app.parts.store.cache) == 0
    await redis.configure("CONFIG", "SET", "maxmemory", "0")
    await until_written(proxy)
    assert (await log_out(proxy, token)).status_code == 200
    assert (await log_out(proxy, token)).status_code == 400


async def test_the_page_says_so(demo: Demo, proxy: Running, redis):
    """C-25: the form's answer is the page with what has happened and what has not."""
    alice = {"issuer": demo.issuer(), "subject": decode(demo.mint("alice"))["sub"]}
    await redis.configure("CONFIG", "SET", "maxmemory", "1")
    page = await submit(proxy, "/purge", **alice)
    assert page.status_code == 503
    for said in ("Purged here alone", "full or read-only", "tried again", "Purges owed"):
        assert said in page.text
    await redis.configure("CONFIG", "SET", "maxmemory", "0")
    await until_written(proxy)
    page = await submit(proxy, "/purge", **alice)
    assert page.status_code == 200
    assert "whatever the shared cache held" in page.text


async def test_a_reload_with_another_cache_keeps_what_is_owed(demo: Demo, proxy: Running, redis, tmp_path):
    """F-39, C-25: the new cache tells what the old one could not."""
    await redis.configure("CONFIG", "SET", "maxmemory", "1")
    assert (await purge(proxy, demo))[0] == 503
    before = proxy.app.parts.store
    settings = proxy.app.settings
    cache = replace(settings.cache, max_entries=99)
    proxy.app.adopt(proxy.app.prepare(replace(settings, cache=cache)))
    assert proxy.app.parts.store is not before
    async with asyncio.timeout(10):
        while not proxy.app.parts.store.shared.revocations.owed:
            await asyncio.sleep(0.01)
    await redis.configure("CONFIG", "SET", "maxmemory", "0")
    await until_written(proxy)
