"""The stream of revocations: its bounds, and what stands in its place."""

import asyncio

import pytest

from proxy.cache.replicas import RevocationOwed

from ...support.caching import make_subject_token
from ...support.replicas import ALICE, BOB, replicas
from .revoking import STREAM, fill, purge


async def test_many_purges_at_once_are_all_heard(redis, store):
    """C-25: by few commands, in a stream that has an end in size and in time."""
    users = [make_subject_token(f"user{number}") for number in range(500)]
    async with replicas(redis.url, max_entries=10_000) as (one, two):
        await two.hearing.look()
        for user in users:
            await two.get(user)
        await asyncio.gather(*(purge(one, user) for user in users))
        assert await store.xlen(STREAM) < 60
        await two.hearing.look()
        assert len(two.cache) == 0
        assert 0 < await store.pttl(STREAM) <= 86_400_000


async def test_the_stream_is_bounded(redis, store, monkeypatch):
    """Old entries make room; who has not heard them renews all it has, and hears those that are left."""
    monkeypatch.setattr("proxy.cache.shared.stream.MOST_ENTRIES", 10)
    async with replicas(redis.url, revalidate_after=3600) as (one, two):
        await fill(one, two)
        for number in range(250):  # trimmed by hundreds
            await purge(one, make_subject_token(f"user{number}"))
        assert await store.xlen(STREAM) < 150
        (entry,) = two.cache._entries.all()
        before = entry.revalidate_at
        await two.hearing.look()
        two.hearing._doubt_if_due()
        assert before - entry.revalidate_at > 3000
        await purge(one)
        await two.hearing.look()
        assert two.tokens.cached(ALICE) is None


async def test_a_stream_of_another_type_is_a_store_that_refuses(redis, store):
    """C-21: neither told nor heard, and said."""
    async with replicas(redis.url) as (one, _):
        await fill(one)
        await store.delete(STREAM)
        await store.set(STREAM, b"x")
        with pytest.raises(RevocationOwed, match="refused"):
            await purge(one)
        assert await one.get(BOB) == "bob#2"
