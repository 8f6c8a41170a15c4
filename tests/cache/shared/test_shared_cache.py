"""What replicas share, on a real Redis: one exchange for all, and nothing that can go wrong with it matters."""

import asyncio
import random
import subprocess
import sys
import textwrap

import pytest

from proxy.cache.revocation import Revocation
from proxy.cache.shared.store import BUDGET
from proxy.errors import (
    AuthorizationServerUnavailable,
    ExchangeMisconfigured,
    StepUpRequired,
    SubjectTokenRefused,
)

from ...support.caching import make_subject_token
from ...support.redis_server import run_redis
from ...support.replicas import ALICE, BOB, KEYS, NEW_KEY, replicas
from .building import build, names_of, write_keys


async def test_another_replica_finds_the_token(redis, store):
    """C-22: one exchange serves all replicas; each user finds his own."""
    async with replicas(redis.url) as (one, two):
        assert await one.get(ALICE) == "alice#1"
        assert await one.get(BOB) == "bob#2"
        await one.settle()
        assert await two.get(ALICE) == "alice#1"
        assert await two.get(BOB) == "bob#2"
        assert two.source.calls == 0
        assert two.tokens.cached(ALICE).authorization == b"Bearer alice#1"
        assert two.tokens.cached(ALICE).scopes == ("orders:read",)


async def test_an_entry_lives_no_longer_than_its_token(redis, store):
    """C-10: every name has an end, and a replica that comes late keeps the token no longer than the first."""
    async with replicas(redis.url) as (one, two):
        await one.get(ALICE)
        await one.settle()
        for name in await store.keys("*"):
            longest = 3610_000 if name.endswith(b"generation") else 3600_000
            assert 0 < await store.pttl(name) <= longest
        two.clock.advance(3000)
        await two.get(ALICE)
        two.clock.advance(569)
        two.source.error = AuthorizationServerUnavailable()
        assert two.tokens.cached(ALICE)
        two.clock.advance(1)
        assert two.tokens.cached(ALICE) is None


async def test_a_token_that_has_ended_is_not_taken(redis):
    """C-12: what the store still holds is checked against this replica's clock."""
    async with replicas(redis.url) as (one, two):
        await one.get(ALICE)
        await one.settle()
        two.clock.advance(3600)
        assert await two.get(ALICE) == "alice#1"
        assert two.source.calls == 1


async def test_a_token_to_be_used_once_is_not_shared(redis, store):
    """C-10: what has ended by the time it is written serves those who waited here, and nobody is kept waiting."""
    async with replicas(redis.url) as (one, two):
        one.source.lifetime = 0.0
        await one.get(ALICE)
        await one.settle()
        assert await names_of(store, "answer") == await names_of(store, "lease") == []
        await two.get(ALICE)
        assert two.source.calls == 1


async def test_a_token_bound_to_a_certificate_is_not_shared(redis, store):
    """RFC 8705 §3: a replica with a certificate of its own could not use it; and nobody is kept waiting."""
    async with replicas(redis.url) as (one, two):
        for replica, certificate in ((one, "first"), (two, "second")):
            replica.source.certificate = certificate
            assert await replica.get(ALICE) == "alice#1"
            await replica.settle()
            assert replica.tokens.cached(ALICE).certificate == certificate
        assert await names_of(store, "answer") == await names_of(store, "lease") == []


async def test_a_cold_start_makes_one_exchange(redis):
    """C-22: four replicas, fifty callers each, one user: the lease lets one exchange."""
    async with replicas(redis.url, 4) as running:
        gate = asyncio.Event()
        for replica in running:
            replica.source.gate = gate
        callers = [asyncio.create_task(each.get(ALICE)) for each in running for _ in range(50)]
        await asyncio.wait(
            [asyncio.create_task(each.source.called.wait()) for each in running],
            return_when=asyncio.FIRST_COMPLETED,
        )
        gate.set()
        assert set(await asyncio.gather(*callers)) == {"alice#1"}
        assert sum(each.source.calls for each in running) == 1


class Interposed:
    """A store in front of which something happens before the next lease is taken."""

    def __init__(self, store, happening) -> None:
        self.get, self.put, self.delete, self.aclose = store.get, store.put, store.delete, store.aclose
        self._put_new = store.put_new
        self._happening = happening

    async def put_new(self, name, value, milliseconds):
        await self._happening()
        return await self._put_new(name, value, milliseconds)


async def test_an_answer_that_comes_before_the_lease_is_taken(redis, store):
    """C-22: who finds nothing, and then the lease free, looks again: another may have exchanged meanwhile."""
    async with replicas(redis.url) as (one, two):

        async def overtake():
            await one.get(ALICE)
            while await names_of(store, "lease"):
                await asyncio.sleep(0)

        two.shared._store = Interposed(two.store, overtake)
        assert await two.get(ALICE) == "alice#1"
        await two.settle()
        assert two.source.calls == 0
        assert not await names_of(store, "lease")


async def test_a_failed_exchange_gives_the_lease_back(redis, store):
    """C-22: a failure is no answer: the next replica asks for itself, at once."""
    async with replicas(redis.url) as (one, two):
        one.source.error = AuthorizationServerUnavailable()
        with pytest.raises(AuthorizationServerUnavailable):
            await one.get(ALICE)
        await one.settle()
        assert await names_of(store, "answer") == await names_of(store, "lease") == []
        assert await two.get(ALICE) == "alice#1"


async def test_a_lease_whose_holder_died_is_waited_for_no_longer_than_3s(redis, store):
    """C-22: the lease fails open."""
    async with replicas(redis.url) as (one, two):
        one.source.gate = asyncio.Event()
        dying = asyncio.create_task(one.get(ALICE))
        await one.source.called.wait()
        waiting = asyncio.create_task(two.get(ALICE))
        for _ in range(5):  # it has begun to wait
            await store.ping()
        assert two.source.calls == 0
        two.clock.advance(3)
        assert await waiting == "alice#1"
        assert two.source.calls == 1
        dying.cancel()


async def test_a_refusal_is_shared(redis):
    """C-18: the refused subject token costs one exchange for all replicas; another of that user's does not."""
    bad, good = make_subject_token(value="bad"), make_subject_token(value="good")
    async with replicas(redis.url) as (one, two):
        one.source.error = StepUpRequired(
            "no", oauth_error="x", remedy="ask", acr_values=("a", "b"), max_age=5
        )
        one.source.error.remember_for, one.source.error.remember_by = 30.0, "subject_token"
        with pytest.raises(StepUpRequired):
            await one.get(bad)
        await one.settle()
        two.clock.advance(20)
        with pytest.raises(StepUpRequired) as caught:
            await two.get(bad)
        error = caught.value
        assert (str(error), error.oauth_error, error.remedy) == ("no", "x", "ask")
        assert (error.acr_values, error.max_age) == (("a", "b"), 5)
        assert await two.get(good) == "alice#1"
        await two.cache.purge(good.issuer, good.subject)
        two.clock.advance(9)
        with pytest.raises(StepUpRequired):
            await two.get(bad)
        two.clock.advance(2)
        assert await two.get(bad) == "alice#2"


async def test_a_refusal_counts_for_more_than_what_its_session_shares(redis, store):
    """C-18: a token refused at one replica is refused at another, which finds what a good one of its session got."""
    bad, good = make_subject_token(value="bad"), make_subject_token(value="good")
    async with replicas(redis.url, 3) as (one, two, three):
        for replica in (one, two, three):
            replica.source.refuse = lambda token: (
                SubjectTokenRefused(remember_for=30, remember_by="subject_token") if token is bad else None
            )
        with pytest.raises(SubjectTokenRefused):
            await one.get(bad)
        await one.settle()
        assert await one.get(good) == "alice#2"
        await one.settle()
        with pytest.raises(SubjectTokenRefused):
            await two.get(bad)
        assert two.source.calls == 0
        for replica in (one, two):  # and when it is asked about again, what is shared stays
            replica.clock.advance(31)
            with pytest.raises(SubjectTokenRefused):
                await replica.get(bad)
            await replica.settle()
        assert one.source.calls + two.source.calls == 3
        assert await three.get(good) == "alice#2"
        assert three.source.calls == 0


async def test_a_token_is_asked_about_though_another_of_its_session_was(redis):
    """C-14, C-18: a replica that renews takes what others were answered for this very token, and asks otherwise."""
    first, second = make_subject_token(value="first"), make_subject_token(value="second")
    async with replicas(redis.url) as (one, two):
        await one.get(first)
        await one.settle()
        assert await two.get(second) == "alice#1"
        for replica in (one, two):
            replica.clock.advance(300)
        one.tokens.cached(first)
        await one.settle()
        two.source.error = SubjectTokenRefused(remember_for=30, remember_by="subject_token")
        assert two.tokens.cached(second).value == "alice#1"
        await two.settle()
        assert two.source.asked == [second]
        assert two.tokens.cached(second) is None
        assert one.tokens.cached(first).value == "alice#2"


async def test_a_misconfiguration_is_not_shared(redis):
    """C-18: another replica may be set up rightly."""
    async with replicas(redis.url) as (one, two):
        one.source.error = ExchangeMisconfigured(remember_for=10, remember_by="route")
        with pytest.raises(ExchangeMisconfigured):
            await one.get(ALICE)
        await one.settle()
        assert await two.get(ALICE) == "alice#1"


async def test_a_refused_revalidation_ends_the_shared_entry(redis, store):
    """C-14: a token whose user was refused is found by nobody any more."""
    async with replicas(redis.url, 3) as (one, two, three):
        await one.get(ALICE)
        await one.settle()
        assert len(await names_of(store, "answer")) == 1
        one.clock.advance(300)
        one.source.error = SubjectTokenRefused(remember_for=30, remember_by="subject_token")
        assert one.tokens.cached(ALICE)
        await one.settle()
        assert await names_of(store, "answer") == []
        with pytest.raises(SubjectTokenRefused):
            await two.get(ALICE)
        assert await three.get(make_subject_token(value="another")) == "alice#1"


async def test_a_renewal_takes_what_another_replica_has_renewed(redis):
    """C-13: replicas revalidate a user once for all of them."""
    async with replicas(redis.url) as (one, two):
        assert await one.get(ALICE) == "alice#1"
        await one.settle()
        assert await two.get(ALICE) == "alice#1"
        for replica in (one, two):
            replica.clock.advance(300)
            replica.tokens.cached(ALICE)
            await replica.settle()
        assert one.tokens.cached(ALICE).value == two.tokens.cached(ALICE).value == "alice#2"
        assert two.source.calls == 0


@pytest.mark.parametrize(("age", "renewals"), [(200, 0), (300, 1)], ids=["young", "old"])
async def test_a_token_that_is_found_old_is_renewed_at_once(redis, age, renewals):
    """C-13, C-14: a withdrawn right lasts no longer for a user whom a replica sees once an hour."""
    async with replicas(redis.url) as (one, two):
        await one.get(ALICE)
        await one.settle()
        two.clock.advance(age)
        assert await two.get(ALICE) == "alice#1"
        for _ in range(2):  # and once is enough
            await two.settle()
            assert (two.source.calls, two.cache.renewals) == (renewals, renewals)
            assert two.tokens.cached(ALICE)


async def test_a_rejected_token_is_not_found_again(redis, store):
    """C-15: the upstream said 401 to it, so neither we nor others are given it again."""
    async with replicas(redis.url) as (one, two):
        await one.get(ALICE)
        await one.settle()
        assert one.tokens.reject(ALICE, one.tokens.cached(ALICE))
        assert await one.get(ALICE) == "alice#2"
        await one.settle()
        assert await two.get(ALICE) in {"alice#1", "alice#2"}
        assert two.source.calls + one.source.calls <= 3
        assert two.tokens.reject(BOB, two.tokens.cached(ALICE))


async def test_a_rejection_alone_forgets_the_shared_entry(redis, store):
    """C-15: also where the request cannot be sent again, and so no exchange follows."""
    async with replicas(redis.url) as (one, _):
        await one.get(ALICE)
        await one.settle()
        one.tokens.reject(ALICE, one.tokens.cached(ALICE))
        await one.settle()
        assert await names_of(store, "answer") == []


async def test_a_purge_reaches_what_is_shared(redis):
    """C-25: no replica finds the user's tokens any more, of whatever route; another user's stay."""
    async with replicas(redis.url) as (one, two):
        other_route = one.route(audience=("api://other",))
        await one.get(ALICE)
        await other_route.obtain(ALICE)
        await one.get(BOB)
        await one.settle()
        assert await one.cache.purge(ALICE.issuer, "alice") == 2
        assert await two.get(ALICE) == "alice#1"
        assert await two.get(BOB) == "bob#3"
        assert two.source.calls == 1


async def test_a_purge_reaches_what_is_shared_of_whoever_the_user_acts_for(redis):
    """C-25: on every replica that has heard of it; what others act with stays."""
    acted, other = ALICE.act_by(BOB), ALICE.act_by(make_subject_token("carol"))
    async with replicas(redis.url) as (one, two):
        for each in (acted, other):
            assert await one.get(each) == await two.get(each)
        assert two.source.calls == 0
        await one.settle()
        for each in (one, two):
            each.clock.advance(1)
        assert await one.cache.purge(BOB.issuer, "bob") == 1
        await two.hearing.look()
        assert len(two.cache) == 1
        assert await one.get(acted) == await two.get(acted)
        await one.get(other)
        await two.get(other)
        assert (one.source.calls, two.source.calls) == (3, 0)


async def test_a_purge_reaches_what_another_replica_is_exchanging(redis):
    """C-25: what was begun before the purge is not shared after it."""
    async with replicas(redis.url, 3) as (one, two, three):
        one.source.gate = asyncio.Event()
        early = asyncio.create_task(one.get(ALICE))
        await one.source.called.wait()
        await two.cache.purge(ALICE.issuer, "alice")
        one.source.gate.set()
        await early
        await one.settle()
        assert await three.get(ALICE) == "alice#1"
        assert three.source.calls == 1


@pytest.mark.parametrize("purged", [ALICE, BOB], ids=["the user", "who acts"])
@pytest.mark.parametrize("shared", ["an answer", "an exchange"])
async def test_a_purge_outlasts_what_is_known_of_it(redis, store, purged, shared):
    """C-25: to a replica that has heard of none, in a store that has lost the stream, nothing of before is valid."""
    acted = ALICE.act_by(BOB)
    async with replicas(redis.url, 3) as (one, two, three):
        one.source.gate = asyncio.Event()
        early = asyncio.create_task(one.get(acted))
        await one.source.called.wait()
        if shared == "an answer":
            one.source.gate.set()
            await early
            await one.settle()
        await two.cache.purge(purged.issuer, purged.subject)
        one.source.gate.set()
        await early
        await one.settle()
        await store.delete(*await store.keys("*:revocations"))
        assert await three.get(acted) == "alice#1"
        assert three.source.calls == 1


async def test_another_key_set_shares_nothing(redis):
    """D-04: what one client's DPoP key got is not found by the holder of another."""
    async with replicas(redis.url) as (one, two):
        await one.get(ALICE)
        await one.settle()
        two.source.client_identity = (*two.source.client_identity[:3], "another jkt")
        two.tokens = two.route()
        await two.get(ALICE)
        assert two.source.calls == 1


async def test_keys_are_rotated_without_a_miss(redis):
    """C-20: the first key seals, all open: old and new replicas find each other's, and purge each other's."""
    old = KEYS[0]
    async with (
        replicas(redis.url, 1, keys=(old, NEW_KEY)) as (first,),
        replicas(redis.url, 2, keys=(NEW_KEY, old)) as (second, fourth),
        replicas(redis.url, 1, keys=(NEW_KEY,)) as (third,),
    ):
        await first.get(ALICE)
        await first.settle()
        assert await second.get(ALICE) == "alice#1"
        await second.get(BOB)
        await second.settle()
        assert await third.get(BOB) == "bob#1"
        assert (second.source.calls, third.source.calls) == (1, 0)
        await second.cache.purge(ALICE.issuer, "alice")
        await fourth.get(ALICE)
        assert fourth.source.calls == 1


async def test_the_store_holds_nothing_to_read(redis, store):
    """C-20: no token, user, issuer or audience in names or values, nor in a dump; two writes differ."""
    canary = make_subject_token("canary-user", value="canary-subject-token", email="canary@example.com")
    async with replicas(redis.url) as (one, _):
        one.source.lifetime = 3000.0
        await one.get(canary)
        await one.settle()
        (name,) = await names_of(store, "answer")
        before = await store.get(name)
        await store.delete(name)
        await one.cache.purge("nobody", "at all")
        one.forget_all()
        await one.get(canary)
        await one.settle()
        assert await store.get(name) != before
        one.source.error = SubjectTokenRefused("canary reason", remember_for=30, remember_by="subject_token")
        with pytest.raises(SubjectTokenRefused):
            await one.get(make_subject_token("canary-user", value="canary-2", sid="2"))
        await one.settle()
    await store.save()
    dump = (redis.directory / "dump.rdb").read_bytes()
    assert name in dump
    for secret in (b"canary", b"okta", b"orders", b"Bearer"):
        assert secret not in dump


async def fill(one):
    await one.get(ALICE)
    await one.get(BOB)
    await one.settle()


async def swap(store):
    first, second = await names_of(store, "answer")
    values = await store.mget(first, second)
    await store.mset({first: values[1], second: values[0]})


async def copy_to_all(store):
    names = await names_of(store, "answer")
    value = await store.get(names[0])
    await store.mset(dict.fromkeys(names[1:], value))
    await store.delete(names[0])


async def flip(store):
    for name in await names_of(store, "answer"):
        value = bytearray(await store.get(name))
        value[random.randrange(len(value))] ^= 1 << random.randrange(8)
        await store.set(name, bytes(value))


async def replace(store, value):
    for name in await names_of(store, "answer"):
        await store.set(name, value)


async def retype(store):
    for name in await names_of(store, "answer"):
        await store.delete(name)
        await store.lpush(name, b"a", b"b")


async def regenerate(store):
    """Someone else's generation in the place of the users'."""
    for name in await names_of(store, "answer"):
        await store.set(name.partition(b"}:")[0] + b"}:generation", b"x")


async def retype_generations(store):
    for name in await names_of(store, "answer"):
        await store.sadd(name.partition(b"}:")[0] + b"}:generation", b"x")


@pytest.mark.parametrize(
    "tamper",
    [
        swap,
        copy_to_all,
        flip,
        lambda store: replace(store, b""),
        lambda store: replace(store, b"\x01" + bytes(60)),
        lambda store: replace(store, KEYS[0].seal(b"another name", b"{}")),
        retype,
        regenerate,
        lambda store: store.flushall(),
    ],
    ids=["swapped", "copied", "flipped", "empty", "garbage", "misnamed", "retyped", "regenerated", "evicted"],
)
async def test_a_store_tampered_with_gives_nothing(redis, store, tamper):
    """C-20, C-21: a miss each time, never an error, never another's token; and all is well afterwards."""
    async with replicas(redis.url, 3) as (one, two, three):
        await fill(one)
        await tamper(store)
        assert (await two.get(ALICE)).startswith("alice#")
        assert (await two.get(BOB)).startswith("bob#")
        assert two.source.calls == 2
        await two.settle()
        assert (await three.get(ALICE)).startswith("alice#")
        assert two.shared.failures == 0


async def test_a_frozen_store_costs_its_budget_once(redis):
    """C-21: kill -STOP: the first request waits 50 ms at most, the next not at all; thawed, it serves again."""
    async with replicas(redis.url, budget=BUDGET) as (one, two):
        await one.get(ALICE)
        await one.settle()
        redis.freeze()
        began = asyncio.get_running_loop().time()
        assert await two.get(ALICE) == "alice#1"
        assert await two.get(BOB) == "bob#2"
        # The client itself would wait a second for each of the two.
        assert asyncio.get_running_loop().time() - began < 1.9
        await two.settle()
        assert two.shared.failures == 1
        redis.thaw()
        two.clock.advance(1.1)
        two.forget_all()
        await two.get(ALICE)
        assert two.source.calls == 2
        assert two.shared.failures == 1


async def test_a_store_that_stays_away_is_asked_ever_less_often(redis):
    """C-21: the pause doubles up to 30 s, and is short again once the store has answered."""
    async with replicas(redis.url) as (one, _):
        await redis.stop()
        for number in range(120):
            await one.get(make_subject_token(f"user{number}"))
            await one.settle()
            one.clock.advance(1)
        assert one.shared.failures == 1 + 1 + 1 + 1 + 1 + 3
        await redis.start()
        one.clock.advance(30)
        await one.get(ALICE)
        await one.settle()
        assert one.source.calls == 121
        await redis.stop()
        await one.get(BOB)
        one.clock.advance(1.1)
        await one.get(make_subject_token("carol"))
        assert one.shared.failures == 8 + 2
        await redis.start()


async def test_a_restarted_store_is_empty_and_works(redis):
    """C-21: connections that broke are made anew."""
    async with replicas(redis.url) as (one, two):
        await one.get(ALICE)
        await one.settle()
        await redis.restart()
        for replica in (one, two):
            replica.forget_all()
            await replica.get(ALICE)
            await replica.settle()
            replica.clock.advance(2)
            replica.forget_all()
            await replica.get(ALICE)
            await replica.settle()
        assert two.source.calls <= 1


async def test_a_full_store_is_read_all_the_same(tmp_path):
    """C-21: what cannot be written is not shared; nothing fails and nothing pauses."""
    full = ("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    async with run_redis(tmp_path, *full) as server, replicas(server.url) as (one, two):
        assert await one.get(ALICE) == "alice#1"
        await one.settle()
        assert await two.get(ALICE) == "alice#1"
        await two.settle()
        assert one.shared.failures == two.shared.failures == 0


async def shuffle(store, dice):
    """Everybody's answers under each other's names."""
    names = await names_of(store, "answer")
    values = [(await store.get(name), name) for name in names]
    dice.shuffle(names)
    for name, (value, _) in zip(names, values, strict=True):
        if value is not None:
            await store.set(name, value, px=60_000)


async def test_users_never_see_each_others_tokens_over_replicas(redis, store):
    """C-05: 3 replicas with caches of 8, 40 users, failures, departures, 401s and a store under attack."""
    dice = random.Random(7)
    users = [make_subject_token(f"user{number}") for number in range(40)]
    async with replicas(redis.url, 3, max_entries=8) as running:
        for replica in running:
            replica.source.refuse = lambda _: (
                AuthorizationServerUnavailable() if dice.random() < 0.05 else None
            )

        async def call(replica, user):
            try:
                token = replica.tokens.cached(user) or await replica.tokens.obtain(user)
            except AuthorizationServerUnavailable:
                return
            assert token.value.partition("#")[0] == user.subject
            if dice.random() < 0.1:
                replica.tokens.reject(user, token)

        for _ in range(10):
            tasks = [asyncio.create_task(call(dice.choice(running), user)) for user in users * 3]
            await asyncio.sleep(0)
            for task in dice.sample(tasks, 5):
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                assert outcome is None or isinstance(outcome, asyncio.CancelledError)
            await shuffle(store, dice)
            for replica in running:
                replica.clock.advance(11)


async def test_it_is_built_as_configured(redis, tmp_path):
    """The store and the keys are those named."""
    shared = build(redis.url, write_keys(tmp_path))
    await shared.revoke(Revocation("owner", bytes(32), 0.0))
    await shared.aclose()


def test_without_the_client_it_is_refused(tmp_path):
    """The extra that is missing is named at start."""
    program = textwrap.dedent(f"""
        import sys

        sys.modules["valkey"] = None  # as if it were not installed
        from proxy.runtime import Background
        from proxy.runtime import SystemClock
        from proxy.config import models
        from proxy.config.shape import build_section
        from proxy.cache.shared.shared_cache import build_shared_cache

        shared = {{"url": "valkey://127.0.0.1", "encryption_key_file": {str(write_keys(tmp_path))!r}}}
        settings = build_section(models.SharedCache, shared)
        build_shared_cache(settings, max_ttl=1.0, users=None, clock=SystemClock(), background=Background())
    """)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "ConfigurationError: cache.shared: needs the Valkey client" in ended.stderr
