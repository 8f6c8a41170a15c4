"""Purges and logouts over replicas: ``obo-proxy serve`` as processes of their own, and a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from proxy.demo import Demo
from tests.admin.test_logout import build as build_logout_token
from tests.support.demo import decode
from tests.support.proxy import PLAIN
from tests.support.raw_client import connected
from tests.support.redis_server import RedisServer, run_redis, write_shared
from tests.support.served import Served, serving_all, write

# That of the test: the processes choose theirs themselves.
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])

DEACTIVATED = {"error": "invalid_grant", "error_description": "The user is not active."}


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with run_redis(tmp_path) as server:
        yield server


class Replicas:
    """Two of them that both know alice, by whom she was asked for at every worker."""

    def __init__(self, demo: Demo, workers: int, *running: Served) -> None:
        self.demo = demo
        self.workers = workers
        self.one, self.two = running
        self.alice = demo.mint("alice")

    async def ask(self, served: Served) -> set[int]:
        """The statuses of alice's requests, one to each worker."""
        request = f"GET /orders/1 HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer {self.alice}\r\n\r\n"
        statuses = set()
        for _ in range(self.workers):
            async with connected(served.address) as client:
                await client.send(request.encode())
                statuses.add((await client.response()).status)
        return statuses

    async def deactivate_alice(self) -> None:
        """At the authorization server: who still serves her does so from what it has."""
        for served in (self.one, self.two):
            assert await self.ask(served) == {200}
        self.demo.faults.refuse("token", 400, DEACTIVATED)
        for served in (self.one, self.two):
            assert await self.ask(served) == {200}

    async def purge(self) -> httpx.Response:
        user = {"issuer": self.demo.issuer(), "subject": decode(self.alice)["sub"]}
        return await self.one.admin.post("/api/purge", json=user)

    async def refused_everywhere(self, seconds: float) -> None:
        """At once where it was asked for; the other serves nothing of before any more once the time is over."""
        assert await self.ask(self.one) == {401}
        deadline = asyncio.get_running_loop().time() + seconds
        while await self.ask(self.two) != {401}:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.02)


@pytest.fixture
def workers() -> int:
    """Of each replica."""
    return 1


@pytest.fixture
async def replicas(workers: int, demo: Demo, redis: RedisServer, tmp_path: Path) -> AsyncIterator[Replicas]:
    raw = demo.settings(cache={"shared": write_shared(tmp_path, redis)})
    path = write(tmp_path / "obo.yaml", raw, workers=workers)
    async with serving_all(path, 2) as running:
        yield Replicas(demo, workers, *running)


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_purge_at_one_is_known_to_the_other_within_a_second(replicas: Replicas):
    """C-25: though each has its own entry for the user."""
    await replicas.deactivate_alice()
    answer = await replicas.purge()
    assert (answer.status_code, answer.json()) == (200, {"purged": replicas.workers})
    await replicas.refused_everywhere(2)  # one, and the time that asking takes


async def test_a_logout_at_one_is_known_to_the_other_within_a_second(replicas: Replicas):
    """C-25: the same by an issuer's word."""
    await replicas.deactivate_alice()
    token = build_logout_token(replicas.demo)
    answer = await replicas.one.admin.post("/api/backchannel-logout", data={"logout_token": token})
    assert (answer.status_code, answer.content) == (200, b"")
    await replicas.refused_everywhere(2)  # one, and the time that asking takes


@pytest.mark.parametrize("workers", [2])
async def test_a_purge_while_the_store_stalls_is_no_success_until_it_is_one(replicas: Replicas, redis):
    """C-25: 503; whoever was asked serves nothing of before, and tells the other once the store answers."""
    await replicas.deactivate_alice()
    redis.freeze()
    answer = await replicas.purge()
    assert (answer.status_code, answer.json()) == (503, {"purged": replicas.workers, "shared": "away"})
    assert await replicas.ask(replicas.one) == {401}
    token = build_logout_token(replicas.demo)
    answer = await replicas.one.admin.post("/api/backchannel-logout", data={"logout_token": token})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert answer.headers["cache-control"] == "no-store"
    redis.thaw()
    await replicas.refused_everywhere(5)
    assert await replicas.one.count("obo_revocations_owed") == 0


async def test_a_purge_just_after_a_stall_is_a_purge(replicas: Replicas, redis):
    """C-25: requests leave the store alone for a while then, purges do not."""
    await replicas.deactivate_alice()
    redis.freeze()
    bob = f"Bearer {replicas.demo.mint('bob')}"
    async with httpx.AsyncClient(trust_env=False, verify=PLAIN) as client:
        url = "http://{}:{}/orders/1".format(*replicas.one.address)
        for _ in range(replicas.workers):
            assert (await client.get(url, headers={"Authorization": bob, "Connection": "close"})).status_code
    assert await replicas.one.count("obo_shared_cache_failures_total") > 0
    redis.thaw()
    assert (await replicas.purge()).status_code == 200
    await replicas.refused_everywhere(2)  # one, and the time that asking takes
