"""How long tokens are kept, how many, and whose leave first."""

import asyncio
import gc
import tracemalloc
from hashlib import sha256
from itertools import pairwise

import pytest

from proxy.cache.key import CacheKey
from proxy.cache.replicas import Answer
from proxy.cache.revocation import Revocation
from proxy.errors import ExchangeDenied
from proxy.exchange.token_exchange import AccessToken, build_access_token
from proxy.runtime import STEPS

from ..support.caching import START, Rig, make_access_token
from ..support.issuer import StillClock

INF = float("inf")
ASKER = b"asker"


def key(number: int, owner: object = None) -> CacheKey:
    """The ``number``-th entry, of ``owner`` or of an owner of its own."""
    name = str(number if owner is None else owner)
    return CacheKey(sha256(name.encode()).digest(), sha256(f"{name}/{number}".encode()).digest())


def put(rig: Rig, where: CacheKey, access_token: AccessToken, subject_expires_at: float) -> None:
    """An exchange of just now."""
    rig.cache.put(where, access_token, Answer(access_token, subject_expires_at, rig.clock.time(), ASKER))


@pytest.mark.parametrize(
    ("token_ends_in", "subject_ends_in", "lives"),
    [
        (3600, INF, 3570),
        (3600, 1000, 970),
        (100_000, INF, 3570),
        (100_000, 100_000, 3570),
        (None, INF, 54),
        (None, 20, 18),
        (300, INF, 270),
        (200, INF, 180),
        (60, INF, 54),
        (10, INF, 9),
        (1, INF, 0.9),
        (1e18, 1e18, 3570),
    ],
    ids=[
        "the token's end",
        "the subject token's end",
        "max_ttl",
        "max_ttl before both",
        "an unknown end",
        "an unknown end after the subject token's",
        "the leeway at a tenth",
        "a tenth below the leeway",
        "short-lived",
        "shorter",
        "shortest",
        "absurdly long",
    ],
)
def test_an_entry_ends_at_the_earliest(token_ends_in, subject_ends_in, lives):
    """C-10, C-11: the earliest of token, subject token and max_ttl, less the leeway or a tenth."""
    rig = Rig()
    expires_at = None if token_ends_in is None else START + token_ends_in
    put(rig, key(1), make_access_token("t", expires_at), START + subject_ends_in)
    rig.clock.advance(lives - 0.01)
    assert rig.cache.find(key(1)).access_token.value == "t"
    rig.clock.advance(0.01)
    assert rig.cache.find(key(1)) is None
    assert len(rig.cache) == 0


@pytest.mark.parametrize("ends_in", [0, -1, -3600], ids=str)
def test_what_has_ended_is_used_once(ends_in):
    """C-10: a token that is over, or whose subject token is, serves the one request that got it."""
    rig = Rig()
    put(rig, key(1), make_access_token("t", START + ends_in), INF)
    put(rig, key(2), make_access_token("t"), START + ends_in)
    assert len(rig.cache) == 0


class TickingClock(StillClock):
    """Time goes on with every look."""

    def monotonic(self) -> float:
        self.passed += 1
        return self.passed


def test_a_token_that_ends_while_it_is_put_leaves_nothing():
    """C-10: time goes on between two looks at the clock."""
    rig = Rig(clock=TickingClock())
    put(rig, key(1), make_access_token("t", START + 1), INF)
    assert rig.cache.find(key(1)) is None
    assert len(rig.cache._entries._owned) == 0


def test_an_ended_token_replaces_nothing():
    """C-10: what cannot be kept leaves the entry that is there."""
    rig = Rig()
    put(rig, key(1), make_access_token("good"), INF)
    put(rig, key(1), make_access_token("ended", START), INF)
    assert rig.cache.find(key(1)).access_token.value == "good"


def test_a_wall_clock_set_back_revives_nothing():
    """C-12: the monotonic deadline holds, whatever the wall clock says."""
    rig = Rig()
    put(rig, key(1), make_access_token("t"), INF)
    rig.clock.advance(3000)
    rig.clock.now -= 3600
    assert rig.cache.find(key(1))
    rig.clock.passed += 571
    assert rig.cache.find(key(1)) is None


def test_a_wall_clock_set_forward_ends_entries():
    """C-12: a machine that slept, or whose clock was wrong, does not use ended tokens; nor when set back."""
    rig = Rig()
    put(rig, key(1), make_access_token("t"), INF)
    rig.clock.now += 3600
    assert rig.cache.find(key(1)) is None
    rig.clock.now -= 3600
    assert rig.cache.find(key(1)) is None
    assert rig.cache.lookups["hit"] == 0


def test_the_least_recently_used_leaves_first():
    """C-17: a hot entry survives any number of new ones."""
    rig = Rig(max_entries=8)
    put(rig, key(0), make_access_token("hot"), INF)
    for number in range(1, 1000):
        put(rig, key(number), make_access_token(str(number)), INF)
        rig.cache.use(rig.cache.find(key(0)))
    assert len(rig.cache) == 8
    assert rig.cache.evictions == 992
    assert rig.cache.find(key(1)) is None


def test_the_ended_leave_before_the_living():
    """C-17: an entry that still serves is not evicted while an ended one takes its room."""
    rig = Rig(max_entries=8)
    put(rig, key(0), make_access_token("living"), INF)
    for number in range(1, 8):
        put(rig, key(number), make_access_token("short", START + 10), INF)
    rig.clock.advance(11)
    for number in range(8, 15):
        put(rig, key(number), make_access_token("new"), INF)
    assert rig.cache.find(key(0))
    assert rig.cache.evictions == 0


def test_one_owner_cannot_push_out_the_others():
    """C-17: a user who mints keys without end fills his share and then loses his own oldest."""
    rig = Rig(max_entries=800)
    for number in range(500):
        put(rig, key(number), make_access_token("victim"), INF)
    for number in range(5000):
        put(rig, key(number, "attacker"), make_access_token("attacker"), INF)
    assert len(rig.cache) == 500 + 100
    assert all(rig.cache.find(key(number)) for number in range(500))
    assert rig.cache.find(key(4900, "attacker"))
    assert rig.cache.find(key(4899, "attacker")) is None


def test_an_owner_may_always_have_a_few():
    """C-17: in a small cache a share is still enough for one user on many routes."""
    rig = Rig(max_entries=20)
    for number in range(30):
        put(rig, key(number, "alice"), make_access_token("t"), INF)
    assert len(rig.cache) == 16


async def test_ended_entries_are_neither_purged_nor_owned():
    """C-25: what ended by itself is not counted, and leaves nothing in the owner's list."""
    rig = Rig()
    owner_key = CacheKey(key(1).owner, key(1).digest)
    put(rig, owner_key, make_access_token("short", START + 10), INF)
    rig.clock.advance(20)
    assert await rig.cache.purge("nobody", "known") == 0
    assert rig.cache.hear([Revocation("owner", owner_key.owner, START)]) == 0
    assert len(rig.cache._entries._owned) == 0


def test_entries_that_end_together_leave_a_few_at_a_time():
    """C-17: no turn of the loop drops more than ``STEPS``, and all are gone after some, with what was kept of them."""
    rig = Rig()
    for number in range(10 * STEPS):
        put(rig, key(number), make_access_token("t"), INF)
    rig.clock.advance(4000)
    left = []
    while not left or left[-1]:
        rig.cache.expire(0.0)
        left.append(len(rig.cache._entries._entries))
    drops = [before - after for before, after in pairwise([10 * STEPS, *left])]
    assert max(drops) <= STEPS
    assert len(left) < 60  # a step may also be one from a second to the next
    entries = rig.cache._entries
    assert (len(entries._owned), len(entries._ends)) == (0, 0)


@pytest.mark.parametrize("kind", ["owner", "actor", "user"])
async def test_a_purge_of_many_is_at_once_and_lets_go_a_few_at_a_time(kind: str):
    """C-25: none is found from the same turn on; what comes meanwhile is another's and stays."""
    rig = Rig(max_entries=100 * STEPS)
    alice = key(0, "alice").owner
    keys = [
        {
            "owner": key(number, "alice"),
            "actor": key(number)._replace(actor=alice),
            "user": key(number)._replace(identifiers=(alice,)),
        }[kind]
        for number in range(10 * STEPS)
    ]
    for each in keys:
        put(rig, each, make_access_token("t"), INF)
    found = [rig.cache.find(each) for each in keys]
    revocation = Revocation("user" if kind == "user" else "owner", alice, START)
    assert rig.cache.hear([revocation]) == len(keys)
    assert not any(rig.cache.find(each) for each in keys)
    assert not any(entry.live for entry in found if entry is not None)
    assert rig.cache.hear([revocation]) == 0
    put(rig, keys[-1], make_access_token("new"), INF)
    left = [len(rig.cache._entries._entries)]
    while left[-1] > 1:
        await asyncio.sleep(0)
        left.append(len(rig.cache._entries._entries))
    assert max(before - after for before, after in pairwise([len(keys), *left])) <= STEPS
    kept = rig.cache.find(keys[-1])
    assert kept is not None
    assert kept.access_token.value == "new"
    entries = rig.cache._entries
    assert [len(table) for table in (entries._ends, entries._owned)] == [1, 1]
    assert rig.cache.hear([revocation]) == 1


async def test_all_are_doubted_a_few_at_a_time():
    """C-17: nobody makes a list of all, so entries that come and go meanwhile are in nobody's way."""
    rig = Rig()
    for number in range(10 * STEPS):
        put(rig, key(number), make_access_token("t"), INF)
    before = set(rig.cache._entries.all())
    rig.cache.doubt(60)
    in_doubt = [sum(entry.in_doubt for entry in before)]
    while len(rig.background):
        rig.cache._entries.remove(key(len(in_doubt)).digest)
        put(rig, key(10_000 + len(in_doubt)), make_access_token("t"), INF)
        await asyncio.sleep(0)
        in_doubt.append(sum(entry.in_doubt for entry in before))
    assert max(after - before for before, after in pairwise([0, *in_doubt])) <= STEPS
    assert all(entry.in_doubt for entry in before if entry.live)


async def test_the_ended_spare_nobody_a_doubt():
    """C-25: also where they come first, and leave as they are counted."""
    rig = Rig()
    for number in range(STEPS + 50):
        ends_at = START + 100 if number < STEPS else START + 3600
        put(rig, key(number), make_access_token("t", ends_at), INF)
    rig.clock.advance(80)
    rig.cache.expire(0.0)
    rig.clock.advance(21)
    rig.cache.doubt(60)
    await rig.settle()
    assert min(len(rig.cache) for _ in range(9)) == 50
    assert all(entry.in_doubt for entry in rig.cache._entries.all())


async def test_whatever_is_known_is_let_go_a_little_at_a_time():
    """C-17: also of tokens that were rejected or refused, of which there may be as many as entries."""
    rig = Rig()
    for number in range(3 * STEPS):
        put(rig, key(number), make_access_token("t"), INF)
        rig.cache.reject(key(number), make_access_token("t"))
        put(rig, key(number), make_access_token("t"), INF)
        rig.cache.refusals.remember(
            ExchangeDenied(remember_for=5, remember_by="subject_token"),
            subject_token=b"%d" % number,
            route=b"",
        )
        rig.cache.verdicts.refuse(b"%d" % number)
    tables = rig.cache._entries._entries, rig.cache._rejected, rig.cache.refusals, rig.cache.verdicts
    closing = asyncio.ensure_future(rig.cache.aclose())
    left = [4 * 3 * STEPS]
    while not closing.done():
        await asyncio.sleep(0)
        left.append(sum(map(len, tables)))
    assert left[-1] == 0
    assert max(before - after for before, after in pairwise(left)) <= STEPS


async def test_what_has_ended_is_not_given_before_it_leaves():
    """C-10: an entry is judged by its own end, whenever it is dropped; of a user's own none is counted either."""
    rig = Rig()
    for number in range(3 * STEPS):
        put(rig, key(number, "alice"), make_access_token("t"), INF)
    rig.clock.advance(4000)
    assert len(rig.cache) > 0
    assert rig.cache.hear([Revocation("owner", key(0, "alice").owner, START)]) == 0
    while len(rig.cache):
        await asyncio.sleep(0)


def test_an_entry_put_again_is_one_entry():
    """A renewed token takes the old one's place, also in its owner's list."""
    rig = Rig(max_entries=8)
    for number in range(100):
        put(rig, key(1), make_access_token(str(number)), INF)
    assert len(rig.cache) == 1
    assert rig.cache.evictions == 0
    assert len(rig.cache._entries.revoke_owned(key(1).owner)) == 1


def test_the_cache_stays_bounded_however_many_come():
    """C-17: beyond max_entries nothing grows: no list of owners, no heap, no table of rejections."""
    rig = Rig(max_entries=100)
    for number in range(10_000):
        put(rig, key(number), make_access_token("t"), INF)
        rig.cache.reject(key(number), make_access_token("t"))
        put(rig, key(number), make_access_token("t"), INF)
    assert len(rig.cache) == 100
    assert len(rig.cache._entries._owned) == 100
    assert len(rig.cache._entries._ends) == 1  # all end in one second
    assert len(rig.cache._rejected) == 100


def test_a_cached_user_costs_little_memory():
    """C-17: at most 4 KiB for each user beside the token itself."""
    users, token_size = 5000, 1000
    rig = Rig(max_entries=users)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(users):
        value = f"{number:0{token_size}}"
        token = build_access_token(value, "Bearer", START + 3600, ())
        put(rig, key(number), token, INF)
    each = (tracemalloc.get_traced_memory()[0] - before) / users
    tracemalloc.stop()
    assert each < 4096 + 2 * token_size


@pytest.mark.parametrize(
    "settings",
    [{"max_entries": 1}, {"expiry_leeway": 0}, {"refresh_ahead": 0}, {"revalidate_after": 0}],
    ids=str,
)
def test_settings_at_their_bounds_work(settings):
    """The smallest values the configuration allows still cache."""
    rig = Rig(**settings)
    put(rig, key(1), make_access_token("t"), INF)
    assert rig.cache.find(key(1))


def test_a_short_lived_token_is_not_renewed_all_the_time():
    """C-13: with a lifetime below refresh_ahead, renewal waits for the second half of it."""
    rig = Rig()
    put(rig, key(1), make_access_token("t", START + 50), INF)
    entry = rig.cache.find(key(1))
    assert not rig.cache.is_due(entry, INF)
    rig.clock.advance(22)
    assert not rig.cache.is_due(entry, INF)
    rig.clock.advance(1)
    assert rig.cache.is_due(entry, INF)


def test_nothing_secret_is_shown():
    """An entry's repr holds neither token nor user."""
    rig = Rig()
    put(rig, key(1), make_access_token("canary"), INF)
    assert "canary" not in repr(rig.cache.find(key(1)))
    assert "canary" not in repr(rig.cache)
