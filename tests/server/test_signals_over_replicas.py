"""Signals over workers and replicas: ``obo-proxy serve`` as processes of their own, and a real Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from proxy.demo import Demo
from proxy.demo.signals import PATH, build_entry, send, sign_event
from tests.admin.test_logout import build as build_logout_token
from tests.support.proxy import PLAIN
from tests.support.raw_client import connected
from tests.support.redis_server import RedisServer, run_redis, write_shared
from tests.support.served import Served, serving, serving_all, write

# That of the test: the processes choose theirs themselves.
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])

WITHIN = 1.0  # s: how soon a signal counts at every replica
ASKING = 1.0  # s that it takes to ask all workers, on a machine that is busy


class Fleet:
    """Replicas of as many workers, in front of the demo."""

    def __init__(self, demo: Demo, workers: int, replicas: list[Served]) -> None:
        self.demo = demo
        self.workers = workers
        self.replicas = replicas

    async def ask(self, served: Served, token: str) -> list[int]:
        """The statuses of one request to each worker."""
        request = f"GET /orders/1 HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer {token}\r\n\r\n"
        statuses = []
        for _ in range(self.workers):
            async with connected(served.address) as client:
                await client.send(request.encode())
                statuses.append((await client.response()).status)
        return statuses

    async def ask_all(self, token: str) -> set[int]:
        return {status for served in self.replicas for status in await self.ask(served, token)}

    async def count(self, sample: str, **labels: str) -> float:
        return sum([await served.count(sample, **labels) for served in self.replicas])

    async def send(self, event: str, user: str = "alice", replica: int = 0) -> httpx.Response:
        return await send(self.demo.tenant, self.url(replica), event, user)

    def url(self, replica: int = 0) -> str:
        return "http://{}:{}".format(*self.replicas[replica].address)

    async def until_refused(self, token: str) -> float:
        """Seconds until no worker of any replica takes the token."""
        began = time.monotonic()
        while await self.ask_all(token) != {401}:
            assert time.monotonic() - began < 20
        return time.monotonic() - began


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with run_redis(tmp_path) as server:
        yield server


@pytest.fixture
def shape() -> tuple[int, int]:
    """Replicas, and workers of each."""
    return 3, 4


@pytest.fixture
async def fleet(
    shape: tuple[int, int], demo: Demo, redis: RedisServer, tmp_path: Path
) -> AsyncIterator[Fleet]:
    replicas, workers = shape
    raw = demo.settings(cache={"shared": write_shared(tmp_path, redis)}, signals=[build_entry(demo.tenant)])
    path = write(tmp_path / "obo.yaml", raw, workers=workers)
    async with serving_all(path, replicas) as running:
        yield Fleet(demo, workers, running)


async def test_a_signal_counts_everywhere_within_a_second(fleet: Fleet):
    """C-25: four workers, three replicas: each had its own entry for the user, none serves her any more."""
    tokens = {user: fleet.demo.mint(user) for user in ("alice", "bob", "dave")}
    for token in tokens.values():
        assert await fleet.ask_all(token) == {200}
    assert await fleet.count("obo_token_cache_entries") == 36
    for number, (event, user) in enumerate((("session-revoked", "alice"), ("universal-logout", "bob")), 1):
        assert (await fleet.send(event, user)).status_code in (202, 204)
        assert await fleet.ask(fleet.replicas[0], tokens[user]) == [401] * 4  # at once where it was sent
        assert await fleet.until_refused(tokens[user]) < WITHIN + ASKING
        assert await fleet.count("obo_token_cache_entries") == 36 - 12 * number
        assert await fleet.count("obo_user_revocations") == 3 * number
        assert await fleet.count("obo_signals_total", outcome="ended") == number
    assert await fleet.ask_all(tokens["dave"]) == {200}


@pytest.mark.parametrize("shape", [(2, 1)])
async def test_a_replica_that_begins_later_knows(fleet: Fleet, tmp_path: Path, redis: RedisServer):
    """By the first token of the user's that it sees: the stream has forgotten, the mark has not."""
    alice = fleet.demo.mint("alice")
    assert (await fleet.send("session-revoked")).status_code == 202
    await redis.configure(
        "EVAL", "for _, k in ipairs(redis.call('keys', '*revocations')) do redis.call('del', k) end", "0"
    )
    async with serving(tmp_path / "obo.yaml") as late:
        fleet.replicas.append(late)
        assert await fleet.ask(late, alice) == [401]
        assert await fleet.ask(late, fleet.demo.mint("bob")) == [200]


@pytest.mark.parametrize("shape", [(2, 2)])
async def test_a_token_counts_once_everywhere(fleet: Fleet):
    """Whichever worker of whichever replica it is played to again."""
    token = sign_event(fleet.demo.tenant, "session-revoked")
    headers = {"content-type": "application/secevent+jwt", "connection": "close"}
    async with httpx.AsyncClient(trust_env=False, verify=PLAIN, headers=headers) as client:
        answers = [await client.post(f"{fleet.url(at)}{PATH}", content=token) for at in (0, 0, 1, 1)]
    assert [answer.status_code for answer in answers] == [202] + [400] * 3


@pytest.mark.parametrize("shape", [(2, 2)])
async def test_with_the_store_gone_it_counts_here_and_is_owed_to_the_others(fleet: Fleet, redis: RedisServer):
    """C-25: all workers refuse at once; the sender is to come again; the log says who does not know."""
    alice = fleet.demo.mint("alice")
    assert await fleet.ask_all(alice) == {200}
    redis.freeze()
    token = sign_event(fleet.demo.tenant, "session-revoked")
    headers = {"content-type": "application/secevent+jwt"}
    async with httpx.AsyncClient(trust_env=False, verify=PLAIN, headers=headers, timeout=20) as client:
        answer = await client.post(f"{fleet.url()}{PATH}", content=token)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert await fleet.ask(fleet.replicas[0], alice) == [401] * 2
        (line,) = await fleet.replicas[0].find("signal", outcome="owed")
        assert (line["level"], line["unreached"], line["signal"]) == ("warning", "away", "session_revoked")
        assert await fleet.count("obo_signals_total", outcome="owed") == 1
        assert (await fleet.send("universal-logout")).status_code == 422
        redis.thaw()
        assert await fleet.until_refused(alice) < 5
    headers["connection"] = "close"
    async with httpx.AsyncClient(trust_env=False, verify=PLAIN, headers=headers, timeout=20) as client:
        answers = [await client.post(f"{fleet.url(at)}{PATH}", content=token) for at in (1, 0, 0)]
    assert [answer.status_code for answer in answers] == [202] + [400] * 2  # whoever is sent it again


@pytest.mark.parametrize("shape", [(2, 1)])
async def test_a_sender_that_does_not_wait_ends_access_everywhere(fleet: Fleet, redis: RedisServer):
    """What was begun is brought to its end: its token would not be taken again."""
    alice = fleet.demo.mint("alice")
    assert await fleet.ask_all(alice) == {200}
    redis.freeze()
    token = sign_event(fleet.demo.tenant, "session-revoked")
    head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/secevent+jwt\r\n"
    async with connected(fleet.replicas[0].address) as client:
        await client.send(f"{head}Content-Length: {len(token)}\r\n\r\n{token}".encode())
        while await fleet.ask(fleet.replicas[0], alice) != [401]:
            pass
    redis.thaw()
    assert await fleet.until_refused(alice) < 5


@pytest.mark.parametrize("shape", [(2, 2)])
async def test_a_logout_takes_the_same_way(fleet: Fleet):
    """C-25: it ends the session's tokens as well, at every replica."""
    alice = fleet.demo.mint("alice")
    assert await fleet.ask_all(alice) == {200}
    token = build_logout_token(fleet.demo)
    answer = await fleet.replicas[0].admin.post("/api/backchannel-logout", data={"logout_token": token})
    assert answer.status_code == 200
    assert await fleet.until_refused(alice) < WITHIN + ASKING


async def test_without_a_shared_cache_it_is_all_workers(demo: Demo, tmp_path: Path):
    """Also one that takes a dead one's place."""
    raw = demo.settings(signals=[build_entry(demo.tenant)])
    async with serving(write(tmp_path / "obo.yaml", raw, workers=4)) as served:
        fleet = Fleet(demo, 4, [served])
        alice = demo.mint("alice")
        assert await fleet.ask_all(alice) == {200}
        assert (await fleet.send("session-revoked")).status_code == 202
        assert await fleet.ask(served, alice) == [401] * 4
        lines = await served.find("worker serving", times=4)
        killed = await asyncio.create_subprocess_exec("kill", "-9", str(lines[0]["pid"]))
        await killed.wait()
        await served.find("worker serving", times=5)
        assert await fleet.ask(served, alice) == [401] * 4
        assert await fleet.count("obo_user_revocations") == 1
