"""A replica hears of revocations, and knows when it may have missed some."""

import asyncio
import logging

import pytest

from proxy.cache.revocation import encode_told
from proxy.cache.shared.hearing import DEAF_AFTER, DOUBT_PAUSE, RENEWED_WITHIN
from proxy.cache.shared.sealing import SealingKey
from tests.support.compiled import interpreted

from ...support.caching import make_subject_token
from ...support.replicas import ALICE, KEYS, replicas
from .revoking import STREAM, fill, purge, until


async def test_it_is_heard_within_a_second(redis):
    """C-25: without anything that a request would have to do."""
    async with replicas(redis.url) as (one, two):
        await one.get(ALICE)
        await one.settle()
        await two.get(ALICE)
        two.shared.revocations.listen(two.cache)
        await until(lambda: bool(two.shared.revocations._hearing._places))
        await purge(one)
        async with asyncio.timeout(2):  # one, and what a busy machine takes
            while two.tokens.cached(ALICE):
                await asyncio.sleep(0.01)


async def test_who_starts_late_hears_what_was_told_before(redis):
    """C-25: of what it has got from a store that it could not listen to."""
    async with replicas(redis.url) as (one, two):
        await fill(one)
        await two.get(ALICE)
        await purge(one)
        await two.hearing.look()
        assert two.tokens.cached(ALICE) is None


async def test_a_replica_that_hears_nothing_says_so_and_renews_what_it_has(redis, caplog):
    """C-25, C-14: within five minutes whatever ``revalidate_after`` says, each entry at a time of its own."""
    caplog.set_level(logging.INFO)
    async with replicas(redis.url, revalidate_after=3600) as (one, two):
        await fill(one, two)
        users = [make_subject_token(f"user{number}") for number in range(200)]
        for user in users:
            await two.get(user)
        await redis.stop()
        two.shared.revocations.listen(two.cache)
        assert two.shared.revocations.unheard_for == 0
        two.clock.advance(DEAF_AFTER + 1)
        await until(lambda: "revocations are not heard" in caplog.messages)
        assert two.shared.revocations.unheard_for == DEAF_AFTER + 1
        now = two.clock.monotonic()
        ages = {round(entry.revalidate_at - now) for entry in two.cache._entries.all()}
        assert min(ages) >= RENEWED_WITHIN / 2
        assert max(ages) <= RENEWED_WITHIN
        assert len(ages) > 50
        two.clock.advance(RENEWED_WITHIN)
        assert two.tokens.cached(ALICE)
        await until(lambda: two.cache.renewals == 1)
        await redis.start()
        await until(lambda: "revocations are heard again" in caplog.messages)
        assert two.shared.revocations.unheard_for == 0


async def test_a_default_configuration_renews_soon_enough_anyhow(redis):
    """C-14: five minutes are ``revalidate_after``'s default: nothing is renewed earlier."""
    async with replicas(redis.url) as (one, _):
        await fill(one)
        (entry,) = one.cache._entries.all()
        before = entry.revalidate_at
        one.cache.doubt(RENEWED_WITHIN)
        assert entry.revalidate_at == before


@pytest.mark.parametrize(
    "content",
    [
        b"garbage",
        KEYS[0].seal(b"another name", encode_told("x", ())),
        KEYS[0].seal(STREAM, b"[]"),
        KEYS[0].seal(STREAM, b'{"teller": "x", "revocations": [["planet", "", 1]]}'),
        KEYS[0].seal(STREAM, b'{"teller": "x", "revocations": [["owner", "AAAA", 1]]}'),
        SealingKey(b"\x09" * 32).seal(STREAM, encode_told("x", ())),
        None,
    ],
    ids=["garbage", "misnamed", "no object", "unknown kind", "short key", "another's key", "another field"],
)
async def test_what_cannot_be_read_counts_as_missed(redis, store, caplog, content):
    """C-20, C-25: who writes into the store without the key has nobody purged; what comes after it is heard."""
    async with replicas(redis.url, revalidate_after=3600) as (one, two):
        await fill(one, two)
        await store.xadd(STREAM, {b"v": content} if content else {b"w": b"x"})
        await two.hearing.look()
        assert two.tokens.cached(ALICE)
        assert "a revocation cannot be read" in caplog.messages
        (entry,) = two.cache._entries.all()
        before = entry.revalidate_at
        two.hearing._doubt_if_due()
        assert entry.revalidate_at < before
        await purge(one)
        await two.hearing.look()
        assert two.tokens.cached(ALICE) is None


@interpreted
async def test_doubts_come_a_minute_apart(redis, store):
    """A store that somebody keeps spoiling costs a walk over the entries a minute, and renews nobody at once."""
    async with replicas(redis.url, revalidate_after=3600) as (one, _):
        await fill(one)
        doubts = []
        one.cache.doubt = doubts.append
        for _ in range(10):
            await store.delete(STREAM)
            await one.hearing.look()
            one.hearing._doubt_if_due()
        assert doubts == [RENEWED_WITHIN]
        one.clock.advance(DOUBT_PAUSE)
        one.hearing._doubt_if_due()
        assert doubts == [RENEWED_WITHIN] * 2, "the one that was put off"
