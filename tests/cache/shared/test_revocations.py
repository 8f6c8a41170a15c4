"""A purge reaches every replica, through a real Redis and past whatever may be wrong with it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from valkey.asyncio import Valkey

from proxy.cache.key import build_owner
from proxy.cache.replicas import RevocationOwed
from proxy.cache.revocation import encode_told
from proxy.cache.shared.hearing import DEAF_AFTER, DOUBT_PAUSE, RENEWED_WITHIN
from proxy.cache.shared.keys import build_generation_name, build_stream_name
from proxy.cache.shared.sealing import SealingKey
from proxy.cache.shared.store import BUDGET
from proxy.errors import SubjectTokenRefused

from ...support.caching import make_subject_token
from ...support.redis_server import RedisServer, run_redis
from ...support.replicas import ALICE, BOB, KEYS, NEW_KEY, Replica, replicas

ALICE_OWNER = build_owner(ALICE.issuer, ALICE.subject)
BOB_OWNER = build_owner(BOB.issuer, BOB.subject)
STREAM = build_stream_name(KEYS[0])


@pytest.fixture
async def redis(tmp_path):
    async with run_redis(tmp_path) as server:
        yield server


@pytest.fixture
async def store(redis):
    """The test's own look into the store."""
    client = Valkey.from_url(redis.url)
    yield client
    await client.aclose()


async def purge(replica: Replica, user=ALICE) -> int:
    return await replica.cache.purge(user.issuer, user.subject)


async def fill(*running: Replica) -> None:
    """Alice is known to the first by its own exchange, to the others by what it shares."""
    for replica in running:
        await replica.hearing.look()
        await replica.get(ALICE)
        await replica.settle()
    assert [replica.source.calls for replica in running] == [1] + [0] * (len(running) - 1)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_purge_ends_what_other_replicas_have_of_their_own(redis):
    """C-25: the user's entries go, of whatever route; another user's stay, and so do those of whoever purged."""
    async with replicas(redis.url) as (one, two):
        await fill(one, two)
        other_route = two.route(audience=("api://other",))
        await other_route.obtain(ALICE)
        await two.get(BOB)
        assert await purge(one) == 1
        await two.hearing.look()
        assert two.tokens.cached(ALICE) is None
        assert other_route.cached(ALICE) is None
        assert two.tokens.cached(BOB)
        assert await one.get(ALICE) == "alice#2"
        await one.settle()
        assert await two.get(ALICE) == "alice#2"
        for replica in (one, two):
            await replica.hearing.look()
            assert replica.tokens.cached(ALICE), "its own word is nothing new, nor what it has heard"


async def test_what_is_shared_goes_before_others_are_told(redis):
    """C-25: who hears of a purge looks into the store next, and must find nothing there."""
    async with replicas(redis.url) as (one, two):
        await fill(one, two)
        append, looked = one.store.append, []

        async def look_first(*told):
            two.forget_all()
            looked.append(await two.get(ALICE))
            await append(*told)

        one.store.append = look_first
        await purge(one)
        assert (looked, two.source.calls) == (["alice#1"], 1)


async def test_it_is_heard_within_a_second(redis):
    """C-25: without anything that a request would have to do."""
    async with replicas(redis.url) as (one, two):
        await one.get(ALICE)
        await one.settle()
        await two.get(ALICE)
        two.shared.revocations.listen(two.cache)
        await until(lambda: bool(two.shared.revocations._hearing._places))
        await purge(one)
        async with asyncio.timeout(1):
            while two.tokens.cached(ALICE):
                await asyncio.sleep(0.01)


async def test_what_is_being_exchanged_elsewhere_leaves_no_entry(redis):
    """C-25: an exchange that began before the purge ends after it: its caller is answered, and nothing is kept."""
    async with replicas(redis.url, 3) as (one, two, three):
        await two.hearing.look()
        two.source.gate = asyncio.Event()
        early = asyncio.create_task(two.get(ALICE))
        await two.source.called.wait()
        await purge(one)
        await two.hearing.look()
        two.source.gate.set()
        assert await early == "alice#1"
        await two.settle()
        assert two.tokens.cached(ALICE) is None
        await three.get(ALICE)
        assert three.source.calls == 1


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


async def test_an_answer_found_while_its_user_is_purged_is_not_given(redis, store):
    """C-25: the look into the store began before the purge, which could not be written."""
    async with replicas(redis.url, 2) as (one, two):
        await fill(one)
        look, purging = two.shared._store.get, []

        async def look_and_be_overtaken(names):
            values = await look(names)
            purging.append(asyncio.create_task(purge(two)))
            await asyncio.sleep(0)
            return values

        two.shared._store.get = look_and_be_overtaken
        await store.execute_command("CLIENT", "PAUSE", "200", "WRITE")
        await two.get(ALICE)
        assert two.source.calls == 1
        await purging[0]


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


async def test_without_its_generation_no_answer_is_valid(redis, store):
    """C-25, C-20: evicted, deleted or lost, it brings nothing back; the next exchange begins another."""
    async with replicas(redis.url, 4) as (one, two, three, four):
        await fill(one)
        await store.delete(build_generation_name(KEYS[0], ALICE_OWNER))
        await two.get(ALICE)
        await two.settle()
        await three.get(ALICE)
        assert (two.source.calls, three.source.calls) == (1, 0), "shared again"
        await purge(one)
        await four.get(ALICE)
        assert four.source.calls == 1


async def test_a_generation_outlives_every_answer(redis, store):
    """C-10: with each that is written it is kept for as long again; otherwise they would end with it."""
    name = build_generation_name(KEYS[0], ALICE_OWNER)
    async with replicas(redis.url) as (one, _):
        await fill(one)
        assert 3_600_000 < await store.pttl(name) <= 3_610_000
        await store.pexpire(name, 60_000)
        await one.route(audience=("api://other",)).obtain(ALICE)
        await one.settle()
        assert 3_600_000 < await store.pttl(name) <= 3_610_000


async def test_an_older_state_of_the_store_brings_nothing_back(redis, store):
    """C-25, C-20: generation and answers restored as they were, as from a snapshot, by whoever can write there."""
    async with replicas(redis.url) as (one, two):
        await fill(one)
        snapshot = {name: await store.get(name) for name in await store.keys("*") if name != STREAM}
        assert len(snapshot) == 2
        for replica in (one, two):
            replica.clock.advance(1)
        await purge(one)
        await two.hearing.look()
        await store.mset(snapshot)
        await two.get(ALICE)
        await two.settle()
        await one.get(ALICE)
        assert (one.source.calls, two.source.calls) == (1, 1), "what is new is shared again"
        await store.mset(snapshot)
        one.forget_all()
        assert await one.get(ALICE) == "alice#2"


async def test_who_starts_late_hears_what_was_told_before(redis):
    """C-25: of what it has got from a store that it could not listen to."""
    async with replicas(redis.url) as (one, two):
        await fill(one)
        await two.get(ALICE)
        await purge(one)
        await two.hearing.look()
        assert two.tokens.cached(ALICE) is None


async def test_replicas_with_old_and_new_keys_hear_each_other(redis):
    """C-25, C-20: in the middle of a rotation, whichever key is first, and whichever some do not have yet."""
    old = KEYS[0]
    sets = [(old,), (old, NEW_KEY), (NEW_KEY, old)]
    for speaking in range(3):
        users = [make_subject_token(f"user{speaking}{number}") for number in range(3)]
        running = [Replica(redis.url, keys) for keys in sets]
        for replica in running:
            await replica.hearing.look()
            for user in users:
                await replica.get(user)
                await replica.settle()
                replica.clock.advance(0.1)
        for replica in running:
            replica.clock.advance(1)
        await purge(running[speaking], users[0])
        for replica in running:
            await replica.hearing.look()
            assert replica.tokens.cached(users[0]) is None
            assert replica.tokens.cached(users[1])
            before = replica.source.calls
            await replica.get(users[0])
            await replica.settle()
            replica.clock.advance(1)
        assert sum(replica.source.calls for replica in running) > before
        for replica in running:
            await replica.background.aclose()
            await replica.shared.aclose()


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


async def test_a_stream_of_another_type_is_a_store_that_refuses(redis, store):
    """C-21: neither told nor heard, and said."""
    async with replicas(redis.url) as (one, _):
        await fill(one)
        await store.delete(STREAM)
        await store.set(STREAM, b"x")
        with pytest.raises(RevocationOwed, match="refused"):
            await purge(one)
        assert await one.get(BOB) == "bob#2"


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
        assert not one.shared.revocations.bars(BOB_OWNER)


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


async def test_a_refused_user_is_not_served_from_a_store_that_cannot_forget(redis):
    """C-14: read-only, it still holds the answer, but this replica was told better."""
    async with replicas(redis.url) as (one, _):
        await fill(one)
        await demote(redis)
        one.clock.advance(301)
        one.source.error = SubjectTokenRefused(remember_for=30, remember_by="subject_token")
        assert one.tokens.cached(ALICE)
        await one.settle()
        one.clock.advance(31)
        with pytest.raises(SubjectTokenRefused):
            await one.get(ALICE)
