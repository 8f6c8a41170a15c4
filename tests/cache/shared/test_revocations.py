"""A purge reaches every replica, through a real Redis and past whatever may be wrong with it."""

import asyncio

import pytest

from proxy.authentication.subject_identifier import build_identifier
from proxy.authentication.subject_token import SubjectToken
from proxy.cache.revocation import Revocation
from proxy.cache.shared.keys import build_generation_name
from proxy.cache.shared.store import BUDGET
from proxy.errors import SubjectTokenRefused

from ...support.caching import make_subject_token
from ...support.replicas import ALICE, BOB, KEYS, NEW_KEY, Replica, replicas
from .revoking import ALICE_OWNER, STREAM, fill, purge


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


async def test_a_refused_user_is_not_served_from_a_store_that_cannot_forget(redis):
    """C-14: read-only, it still holds the answer, but this replica was told better."""
    async with replicas(redis.url) as (one, _):
        await fill(one)
        await redis.configure("REPLICAOF", "127.0.0.1", "1")
        one.clock.advance(301)
        one.source.error = SubjectTokenRefused(remember_for=30, remember_by="subject_token")
        assert one.tokens.cached(ALICE)
        await one.settle()
        one.clock.advance(31)
        with pytest.raises(SubjectTokenRefused):
            await one.get(ALICE)


def identified(subject: str) -> SubjectToken:
    """A subject token whose user an org may mean."""
    token = make_subject_token(subject)
    token.identifiers = (build_identifier("https://org", "sub", subject),)
    return token


async def test_a_revoked_user_is_given_nothing_of_before(redis):
    """C-25: what a replica shared that heard of it, and one that did not, is not taken; it is asked for anew."""
    alice, bob = identified("alice"), identified("bob")
    async with replicas(redis.url, 3) as (one, two, three):
        for token in (alice, bob):
            value = await one.get(token)
            await one.settle()
            assert await two.get(token) == value
        revocation = Revocation("user", alice.identifiers[0], one.clock.time() - 60)
        for each in (one, two, three):
            each.clock.advance(1)
        assert one.users.hear([revocation]) == 1
        await one.shared.revoke(revocation)
        await two.hearing.look()
        await three.hearing.look()
        assert [each.tokens.cached(alice) for each in (one, two)] == [None, None]
        assert (await three.get(alice), await three.get(bob)) == ("alice#1", "bob#2")
        assert (one.source.calls, two.source.calls, three.source.calls) == (2, 0, 1)


async def test_who_has_not_heard_of_a_user_can_look_it_up(redis):
    """C-25: the mark is kept by itself, under whatever key; nobody else is marked."""
    alice, bob = identified("alice"), identified("bob")
    async with replicas(redis.url, 1) as (one,), replicas(redis.url, 1, (NEW_KEY, *KEYS)) as (two,):
        revocation = Revocation("user", alice.identifiers[0], 1234.5)
        await one.shared.revoke(revocation)
        assert await two.shared.recall((*bob.identifiers, *alice.identifiers)) == [revocation]
        assert await two.shared.recall(bob.identifiers) == []


async def test_a_claim_is_made_once(redis):
    """Among all replicas; where the store is away everybody's is."""
    async with replicas(redis.url, 2, budget=BUDGET) as (one, two):
        assert [await each.shared.claim(b"x", 60) for each in (one, two)] == [True, False]
        assert [await each.shared.is_claimed(name) for each in (one, two) for name in (b"x", b"y")] == [
            True,
            False,
        ] * 2
        redis.freeze()
        assert await one.shared.claim(b"x", 60)
        assert not await two.shared.is_claimed(b"x")
        assert await one.shared.recall((b"x",)) == []
        redis.thaw()
