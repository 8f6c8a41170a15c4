"""First tokens are shared and sealed as access tokens are: one ID-JAG for all replicas."""

from __future__ import annotations

import pytest
from valkey.asyncio import Valkey

from ...support.caching import make_subject_token
from ...support.redis_server import run_redis
from ...support.replicas import ALICE, replicas
from ..test_two_legs import attach


@pytest.fixture
async def redis(tmp_path):
    async with run_redis(tmp_path) as server:
        yield server


async def test_one_id_jag_for_all_replicas(redis):
    """C-22: another replica takes the access token; without one it redeems the ID-JAG that is there."""
    async with replicas(redis.url) as (one, two):
        attach(one)
        attach(two)
        assert await one.get(ALICE) == "alice#1"
        await one.settle()
        assert await two.get(ALICE) == "alice#1"
        assert (two.identity_provider.calls, two.redeemer.calls) == (0, 0)
        two.forget_all()
        assert two.tokens.reject(ALICE, two.tokens.cached(ALICE) or await two.tokens.obtain(ALICE))
        await two.settle()
        assert await two.get(ALICE) == "alice#1"
        assert (one.identity_provider.calls, two.identity_provider.calls) == (1, 0)
        assert two.redeemer.redeemed == ["id-jag-alice#1"]


async def test_what_is_shared_is_sealed(redis):
    """Nobody who reads the store learns an ID-JAG."""
    async with replicas(redis.url, 1) as (one,):
        attach(one)
        await one.get(ALICE)
        await one.settle()
        client = Valkey.from_url(redis.url)
        names = await client.keys("*:answer:*")
        values = [await client.get(name) for name in names]
        await client.aclose()
    assert len(values) == 2
    assert not any(b"id-jag" in value or b"alice" in value for value in [*names, *values])


async def test_a_revocation_reaches_both(redis):
    """C-25: the other replica's ID-JAG counts no more either."""
    async with replicas(redis.url) as (one, two):
        attach(one)
        attach(two)
        await two.hearing.look()
        await one.get(ALICE)
        await two.get(ALICE)
        await one.settle()
        await one.cache.purge(ALICE.issuer, ALICE.subject)
        await two.hearing.look()
        await two.get(make_subject_token("alice"))
        assert two.identity_provider.calls == 1
