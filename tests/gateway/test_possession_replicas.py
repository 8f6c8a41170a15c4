"""A proof that one process has taken is refused by all, and so is each while nobody can tell (RFC 9449 §11.1)."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from valkey.asyncio import Valkey

from proxy.demo import Demo
from tests.support.prover import Prover
from tests.support.proxy import PLAIN, Running, running
from tests.support.redis_server import RedisServer, run_redis, write_shared
from tests.support.served import serving, write

EXTERNAL = "https://api.example.com"
URL = f"{EXTERNAL}/orders/1"
ALICE = Prover()


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with run_redis(tmp_path) as server:
        yield server


def configure(demo: Demo, folder: Path, redis: RedisServer, **entry: Any) -> dict[str, Any]:
    raw = demo.settings(cache={"shared": write_shared(folder, redis)})
    for one in raw["subject_tokens"]:
        one.update({"dpop": "accept", **entry})
    raw["listen"] = {"external_url": EXTERNAL}
    return raw


async def ask(proxy: Running, fields: dict[str, str]) -> tuple[int, str, str | None]:
    """Status, code and nonce."""
    answer = await proxy.client.get("/orders/1", headers=fields)
    return answer.status_code, answer.json().get("code", ""), answer.headers.get("dpop-nonce")


async def test_a_replay_at_the_second_replica(demo: Demo, tmp_path: Path, redis: RedisServer) -> None:
    """Nothing of it goes on, nothing in the store tells of it, and the store forgets it by itself."""
    raw = configure(demo, tmp_path, redis)
    token = demo.mint("alice", claims=ALICE.confirmation)
    async with running(raw) as one, running(raw) as other:
        fields = ALICE.show(URL, token, jti="the-one-and-only")
        assert (await ask(one, fields))[0] == 200
        seen = len(demo.api_requests)
        for proxy in (other, one, other):
            assert (await ask(proxy, fields))[:2] == (401, "proof_invalid")
        assert len(demo.api_requests) == seen
        assert (await ask(other, ALICE.show(URL, token)))[0] == 200
        async with Valkey.from_url(redis.url) as store:
            names = [name async for name in store.scan_iter("obo-proxy:proof:*")]
            assert len(names) == 2
            assert not any(b"the-one" in name for name in names)
            assert all([90 < await store.ttl(name) <= 151 for name in names])


async def test_one_played_at_both_at_once(demo: Demo, tmp_path: Path, redis: RedisServer) -> None:
    raw = configure(demo, tmp_path, redis)
    token = demo.mint("alice", claims=ALICE.confirmation)
    async with running(raw) as one, running(raw) as other:
        await asyncio.gather(ask(one, ALICE.show(URL, token)), ask(other, ALICE.show(URL, token)))
        for _ in range(5):
            fields = ALICE.show(URL, token)
            answers = await asyncio.gather(*(ask(proxy, fields) for proxy in (one, other) * 2))
            assert sorted(status for status, *_ in answers) == [200, 401, 401, 401]


async def test_a_key_takes_anothers_place(demo: Demo, tmp_path: Path, redis: RedisServer) -> None:
    """Of the key file: replicas that have not all read it yet know each other's proofs and nonces."""
    raw = configure(demo, tmp_path, redis, dpop_nonce=True)
    token = demo.mint("alice", claims=ALICE.confirmation)
    new = {
        **raw,
        "cache": {"shared": {**raw["cache"]["shared"], "encryption_key_file": str(tmp_path / "new")}},
    }
    before = (tmp_path / "encryption.key").read_bytes()
    (tmp_path / "new").write_bytes(b64encode(b"\x02" * 32) + b"\n" + before)
    async with running(raw) as old, running(new) as other:
        status, code, nonce = await ask(old, ALICE.show(URL, token))
        assert (status, code) == (401, "proof_nonce_required")
        fields = ALICE.show(URL, token, nonce=nonce)
        assert (await ask(other, fields))[0] == 200
        assert (await ask(old, fields))[:2] == (401, "proof_invalid")


async def test_a_store_that_is_away(demo: Demo, tmp_path: Path, redis: RedisServer) -> None:
    """Who shows no proof is served; what nobody can answer for is refused, and the proof is not taken later."""
    token = demo.mint("alice", claims=ALICE.confirmation)
    async with running(configure(demo, tmp_path, redis)) as proxy:
        assert (await ask(proxy, ALICE.show(URL, token)))[0] == 200
        await redis.stop()
        fields = ALICE.show(URL, token)
        answer = await proxy.client.get("/orders/1", headers=fields)
        assert (answer.status_code, answer.json()["code"]) == (503, "proof_uncheckable")
        assert "retry-after" in answer.headers
        shared = proxy.app.parts.store.shared
        assert (shared.proofs.failures, shared.failures > 0) == (1, True)
        assert (await proxy.get("/orders/1", demo.mint("alice"))).status_code == 200
        assert (await ask(proxy, fields))[:2] == (401, "proof_invalid")


async def test_workers(demo: Demo, tmp_path: Path, redis: RedisServer) -> None:
    """Dealt connections in turn, each takes the others' nonces, and none a proof of theirs."""
    raw = configure(demo, tmp_path, redis, dpop_nonce=True)
    path = write(tmp_path / "obo.yaml", raw, workers=2, external_url=EXTERNAL)
    token = demo.mint("alice", claims=ALICE.confirmation)
    async with serving(path) as served:

        async def get(fields: dict[str, str]) -> httpx.Response:
            base = "http://{}:{}".format(*served.address)
            async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=20, verify=PLAIN) as client:
                return await client.get("/orders/1", headers=fields)

        nonce = (await get(ALICE.show(URL, token))).headers["dpop-nonce"]
        for _ in range(4):
            fields = ALICE.show(URL, token, nonce=nonce)
            assert [(await get(fields)).status_code for _ in range(3)] == [200, 401, 401]
