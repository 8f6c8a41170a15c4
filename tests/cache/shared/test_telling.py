"""A revocation is owed until it is written."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from proxy.cache.key import build_cache_key
from proxy.cache.replicas import RevocationOwed
from proxy.cache.shared.store import BUDGET

from ...support.caching import make_subject_token
from ...support.redis_server import RedisServer
from ...support.replicas import ALICE, BOB, replicas
from .revoking import STREAM, fill, purge, until


async def stop(redis: RedisServer) -> None:
    await redis.stop()


async def freeze(redis: RedisServer) -> None:
    redis.freeze()


async def thaw(redis: RedisServer) -> None:
    redis.thaw()


async def start(redis: RedisServer) -> None:
    await redis.start()


async def fill_up(redis: RedisServer) -> None:
    await redis.configure("CONFIG", "SET", "maxmemory", "1")


async def make_room(redis: RedisServer) -> None:
    await redis.configure("CONFIG", "SET", "maxmemory", "0")


async def demote(redis: RedisServer) -> None:
    await redis.configure("REPLICAOF", "127.0.0.1", "1")


async def promote(redis: RedisServer) -> None:
    await redis.configure("REPLICAOF", "NO", "ONE")


Change = Callable[[RedisServer], Awaitable[None]]


@pytest.mark.parametrize(
    ("spoil", "mend", "reason"),
    [
        (freeze, thaw, "away"),
        (stop, start, "away"),
        (fill_up, make_room, "refused"),
        (demote, promote, "refused"),
    ],
    ids=["stalled", "gone", "full", "read-only"],
)
async def test_a_purge_that_is_not_written_is_owed(redis, spoil: Change, mend: Change, reason: str):
    """C-25: whoever purges hears that it has not happened; it does once the store can, and not a moment sooner."""
    async with replicas(redis.url, 3, budget=BUDGET) as (one, two, three):
        await fill(one, two)
        await spoil(redis)
        with pytest.raises(RevocationOwed) as caught:
            await purge(one)
        assert (caught.value.reason, caught.value.dropped) == (reason, 1)
        assert one.shared.revocations.owed == 1
        for _ in range(3):  # with the store at each stage of being left alone
            one.clock.advance(31)
            one.forget_all()
            await one.get(ALICE)
        assert one.source.calls == 4, "nothing of before is taken from the store"
        await mend(redis)
        await until(lambda: not one.shared.revocations.owed)
        await two.hearing.look()
        assert two.tokens.cached(ALICE) is None
        three.clock.advance(31)
        await three.get(ALICE)
        assert three.source.calls == 1


async def test_a_stall_shorter_than_the_patience_is_waited_for(redis):
    """C-25: 50 ms are a request's budget, not a purge's; nor does a purge mind that the store is left alone."""
    async with replicas(redis.url, budget=BUDGET) as (one, two):
        await fill(one, two)
        redis.freeze()
        await one.get(BOB)
        assert one.shared.failures == 1
        asyncio.get_running_loop().call_later(0.2, redis.thaw)
        assert await purge(one) == 1
        await two.hearing.look()
        assert two.tokens.cached(ALICE) is None


async def test_a_store_restarted_empty_is_told_again_what_it_has_lost(redis, caplog):
    """C-25: the purge was answered, the store lost it before another replica looked."""
    async with replicas(redis.url) as (one, two):
        await fill(one, two)
        await one.hearing.look()
        await purge(one)
        await one.hearing.look()
        await redis.restart()
        await two.hearing.look()
        assert two.tokens.cached(ALICE)
        await one.hearing.look()
        await one.settle()
        await two.hearing.look()
        assert two.tokens.cached(ALICE) is None
        assert "the shared cache has lost revocations" in caplog.messages


async def test_a_purge_right_after_a_restart_is_written(redis):
    """C-25: connections that broke are made anew, and the stream begins again."""
    async with replicas(redis.url) as (one, two):
        await fill(one, two)
        await redis.restart()
        assert await purge(one) == 1
        await two.hearing.look()
        assert two.tokens.cached(ALICE) is None


async def test_owed_purges_have_a_bound(redis, monkeypatch, caplog):
    """C-25: beyond it none is taken, and nothing shared before is used, whoever's it is, until all of it has ended."""
    monkeypatch.setattr("proxy.cache.shared.telling.BUDGET", 0.01)
    monkeypatch.setattr("proxy.cache.shared.telling.MOST_OWED", 3)
    async with replicas(redis.url, budget=BUDGET) as (one, two):
        await fill(one)
        await redis.stop()
        for number in range(3):
            with pytest.raises(RevocationOwed, match="away"):
                await purge(one, make_subject_token(f"user{number}"))
        with pytest.raises(RevocationOwed, match="overflow"):
            await purge(one)
        with pytest.raises(RevocationOwed, match="away"):
            await purge(one, make_subject_token("user1"))
        assert one.shared.revocations.owed == 3
        assert "too many revocations are owed" in caplog.messages
        await redis.start()
        await until(lambda: not one.shared.revocations.owed)
        two.clock.advance(31)
        await two.get(BOB)
        await two.settle()
        one.clock.advance(3600)
        await one.get(BOB)
        assert two.source.calls == 1
        assert one.source.calls == 2, "not yet"
        one.clock.advance(10)
        assert not one.shared.revocations.bars(build_cache_key(bytes(32), BOB))


async def test_a_purge_is_owed_no_longer_than_there_is_something_to_purge(redis, monkeypatch):
    """C-25: by then every token of before has ended, here and everywhere."""
    monkeypatch.setattr("proxy.cache.shared.telling.BUDGET", 0.01)
    async with replicas(redis.url) as (one, _):
        await redis.stop()
        with pytest.raises(RevocationOwed):
            await purge(one)
        one.clock.advance(3611)
        assert one.shared.revocations.owed == 0
        await until(one.shared.revocations._teller._telling.done)


async def test_who_ends_hands_over_what_it_owes(redis, monkeypatch, caplog):
    """F-39: a reload with another cache keeps telling; a process that ends says what nobody will hear."""
    monkeypatch.setattr("proxy.cache.shared.telling.BUDGET", 0.01)
    async with replicas(redis.url, 3) as (one, two, three):
        await fill(three)
        await redis.stop()
        with pytest.raises(RevocationOwed):
            await purge(one)
        two.shared.revocations.take_over(one.shared.revocations)
        await one.background.aclose()
        one.shared.revocations.close()
        assert "revocations were never written" not in caplog.messages
        two.shared.revocations.close()
        assert "revocations were never written" in caplog.messages
        await redis.start()
        await until(lambda: not two.shared.revocations.owed)
        await three.hearing.look()
        assert three.tokens.cached(ALICE) is None


async def test_a_user_purged_again_meanwhile_is_told_of_again(redis, store):
    """C-25: what is obtained between two purges is not safe from the second because the first was being written."""
    async with replicas(redis.url) as (one, two):
        await two.hearing.look()
        await store.execute_command("CLIENT", "PAUSE", "100", "WRITE")
        first = asyncio.create_task(purge(one))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        second = asyncio.create_task(purge(one))
        await asyncio.gather(first, second)
        assert await store.xlen(STREAM) == 3
