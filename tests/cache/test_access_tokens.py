"""The access token for a route and a user: found, shared, and gone for."""

import asyncio
import random
from collections import Counter

import pytest

from proxy.cache.key import build_cache_key
from proxy.cache.revocation import Revocation
from proxy.errors import (
    AuthorizationServerUnavailable,
    ProxyError,
)

from ..support.caching import ALICE, BOB, START, Rig, get, make_subject_token, refused, turns


async def test_a_second_request_is_served_from_the_cache():
    """C-01: one exchange serves the user's next requests; another user has his own."""
    rig = Rig()
    first = await get(rig.tokens, ALICE)
    assert await get(rig.tokens, ALICE) is first
    assert (await get(rig.tokens, BOB)).value == "bob#2"
    assert +Counter(rig.cache.lookups) == {"miss": 2, "hit": 1}
    assert len(rig.cache) == 2


async def test_what_is_obtained_is_of_who_asks_for_it():
    """C-02: whoever was looked for before, and in vain."""
    rig = Rig()
    assert rig.tokens.cached(ALICE) is None
    assert (await rig.tokens.obtain(BOB)).value == "bob#1"
    assert rig.tokens.cached(BOB) is not None
    assert (await rig.tokens.obtain(ALICE)).value == "alice#2"


async def test_a_refreshed_token_of_one_session_hits():
    """C-02: only exp, iat, nbf and jti differ, so the entry serves."""
    rig = Rig()
    first = await get(rig.tokens, make_subject_token(value="one", exp=1, jti="1"))
    assert await get(rig.tokens, make_subject_token(value="two", exp=2, jti="2")) is first
    assert rig.source.calls == 1


async def test_routes_that_ask_for_different_things_share_nothing():
    """C-02: another audience is another token; the same request on another route is the same token."""
    rig = Rig()
    first = await get(rig.tokens, ALICE)
    assert await get(rig.route(audience=("api://other",)), ALICE) is not first
    assert await get(rig.route(), ALICE) is first


async def test_what_was_found_for_a_token_is_of_one_route_and_cache():
    """C-02: a token remembers what it was found to have; another route or cache does not take that for its own."""
    rig, stranger = Rig(), Rig()
    other = rig.route(audience=("api://other",))
    found = {}
    for _ in range(3):
        for name, tokens in (("route", rig.tokens), ("other", other), ("stranger", stranger.tokens)):
            found.setdefault(name, []).append(await get(tokens, ALICE))
    assert all(first is second is third for first, second, third in found.values())
    assert len({id(tokens[0]) for tokens in found.values()}) == 3
    assert rig.source.calls == 2


async def test_another_client_identity_shares_nothing():
    """D-04: a token bound to one DPoP key is never found by the holder of another."""
    rig = Rig()
    await get(rig.tokens, ALICE)
    rig.source.client_identity = (*rig.source.client_identity[:3], "jkt")
    assert rig.route().cached(ALICE) is None


async def test_a_grant_without_a_user_has_one_token():
    """Client credentials are cached as well, and are not the entry of any user."""
    rig = Rig()
    tokens = rig.route(grant="client_credentials")
    first = await get(tokens, None)
    assert await get(tokens, None) is first
    assert tokens.cached(ALICE) is None
    assert rig.source.asked == [None]


async def test_500_cold_requests_make_one_exchange():
    """C-06: whoever misses while an exchange runs waits for that one."""
    rig = Rig()
    rig.source.gate = asyncio.Event()
    callers = [asyncio.create_task(get(rig.tokens, ALICE)) for _ in range(500)]
    await turns()
    rig.source.gate.set()
    assert {token.value for token in await asyncio.gather(*callers)} == {"alice#1"}
    assert rig.source.calls == 1
    assert +Counter(rig.cache.lookups) == {"miss": 1, "coalesced": 499}
    assert len(rig.cache.flights) == 0


@pytest.mark.parametrize("leaving", [[0], [1, 2, 3], list(range(50))], ids=["first", "others", "all"])
async def test_no_departure_ends_an_exchange(leaving):
    """C-06, F-21: callers who leave, the first one included, take nothing from those who stay."""
    rig = Rig()
    rig.source.gate = asyncio.Event()
    callers = [asyncio.create_task(get(rig.tokens, ALICE)) for _ in range(50)]
    await turns()
    for index in leaving:
        callers[index].cancel()
    await turns()
    rig.source.gate.set()
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    for index, outcome in enumerate(outcomes):
        assert isinstance(outcome, asyncio.CancelledError) is (index in leaving)
    await rig.settle()
    assert rig.source.calls == 1
    assert rig.tokens.cached(ALICE).value == "alice#1"


async def test_a_failure_is_shared_only_with_those_who_wait():
    """C-06: each who waited raises an instance of his own; the next request asks again."""
    rig = Rig()
    rig.source.gate = asyncio.Event()
    rig.source.error = AuthorizationServerUnavailable("connection refused", retry_after=3)
    callers = [asyncio.create_task(get(rig.tokens, ALICE)) for _ in range(20)]
    await turns()
    rig.source.gate.set()
    errors = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(error) for error in errors} == {AuthorizationServerUnavailable}
    assert {(str(error), error.retry_after) for error in errors} == {("connection refused", 3)}
    assert len({id(error) for error in errors}) == 20
    assert rig.source.calls == 1
    rig.source.error = None
    assert (await get(rig.tokens, ALICE)).value == "alice#2"


async def test_a_surprise_reaches_those_who_wait():
    """A fault of our own inside an exchange is raised, not hung on, and leaves no flight."""
    rig = Rig()
    rig.source.error = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        await get(rig.tokens, ALICE)
    await turns()
    assert len(rig.cache.flights) == 0


async def test_closing_answers_those_who_wait():
    """When the proxy ends its exchanges, the callers get an answer rather than being cut off."""
    rig = Rig()
    rig.source.gate = asyncio.Event()
    caller = asyncio.create_task(get(rig.tokens, ALICE))
    await turns()
    await rig.background.aclose()
    with pytest.raises(AuthorizationServerUnavailable):
        await caller


async def test_flights_leave_no_trace():
    """C-07: however many keys there were, nothing is left at rest."""
    rig = Rig(max_entries=8)
    for batch in range(50):
        users = [make_subject_token(f"{batch}-{number}") for number in range(100)]
        rig.source.error = refused() if batch % 3 == 0 else None
        await asyncio.gather(*(get(rig.tokens, user) for user in users), return_exceptions=True)
    await rig.settle()
    assert len(rig.cache.flights) == 0
    assert len(rig.background) == 0
    assert len(rig.cache) == 8
    assert len(rig.cache.refusals) == 8


async def test_users_never_see_each_others_tokens():
    """C-05: 200 users by 50 requests, cache of 8, with failures, refusals, departures, 401s and time going by."""
    rig = Rig(max_entries=8)
    dice = random.Random(20240607)
    users = [make_subject_token(f"user{number}") for number in range(200)]

    def maybe(_):
        roll = dice.random()
        if roll < 0.05:
            return AuthorizationServerUnavailable()
        return refused() if roll < 0.06 else None

    rig.source.refuse = maybe
    grant = rig.source.grant

    async def slow_grant(request, subject_token):
        await turns(dice.randrange(4))
        return await grant(request, subject_token)

    rig.source.grant = slow_grant
    seen = Counter()

    async def call(user):
        await turns(dice.randrange(6))
        try:
            token = await get(rig.tokens, user)
        except ProxyError:
            seen["refused"] += 1
            return
        assert token.value.partition("#")[0] == user.subject
        seen["served"] += 1
        if dice.random() < 0.1:
            rig.tokens.reject(user, token)
        rig.clock.advance(dice.random())

    requests = users * 50
    dice.shuffle(requests)
    for start in range(0, len(requests), 500):
        tasks = [asyncio.create_task(call(user)) for user in requests[start : start + 500]]
        await turns(3)
        for task in dice.sample(tasks, 20):
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)
    await rig.settle()
    assert seen["served"] > 8000
    assert seen["refused"] > 200
    assert len(rig.cache.flights) == 0


async def test_a_rejected_token_is_exchanged_anew():
    """C-15: an upstream 401 drops exactly that token, and a fresh one may be tried."""
    rig = Rig()
    first = await get(rig.tokens, ALICE)
    other = await get(rig.tokens, BOB)
    assert rig.tokens.reject(ALICE, first)
    assert (await rig.tokens.obtain(ALICE)).value == "alice#3"
    assert rig.tokens.cached(BOB) is other


async def test_a_token_replaced_meanwhile_is_not_dropped():
    """C-15: compare and delete; who was refused with the old token tries the new one."""
    rig = Rig()
    first = await get(rig.tokens, ALICE)
    rig.tokens.reject(ALICE, first)
    second = await rig.tokens.obtain(ALICE)
    assert rig.tokens.reject(ALICE, first)
    assert await rig.tokens.obtain(ALICE) is second
    assert rig.source.calls == 2


async def test_an_upstream_that_always_says_401_makes_no_storm():
    """C-15: 1000 requests in parallel, and then one each second: one re-exchange per key in 10 s."""
    rig = Rig()
    await get(rig.tokens, ALICE)

    async def call():
        token = rig.tokens.cached(ALICE)
        await turns(1)
        if token is not None and rig.tokens.reject(ALICE, token):
            await rig.tokens.obtain(ALICE)

    await asyncio.gather(*(call() for _ in range(1000)))
    assert rig.source.calls == 2
    for _ in range(29):
        rig.clock.advance(1)
        await call()
    assert rig.source.calls == 2 + 2


async def test_a_rejection_whose_exchange_failed_is_not_repeated_at_once():
    """C-15: with the token gone and no exchange under way, the pause holds."""
    rig = Rig()
    first = await get(rig.tokens, ALICE)
    assert rig.tokens.reject(ALICE, first)
    rig.source.error = AuthorizationServerUnavailable()
    with pytest.raises(AuthorizationServerUnavailable):
        await rig.tokens.obtain(ALICE)
    await turns()
    assert not rig.tokens.reject(ALICE, first)
    rig.clock.advance(10)
    assert rig.tokens.reject(ALICE, first)


async def test_a_purged_user_is_exchanged_anew():
    """C-25: all routes' entries of that user go, nobody else's."""
    rig = Rig()
    other_route = rig.route(audience=("api://other",))
    for tokens in (rig.tokens, other_route):
        await get(tokens, ALICE)
    await get(rig.tokens, BOB)
    assert await rig.cache.purge(ALICE.issuer, "alice") == 2
    assert await rig.cache.purge(ALICE.issuer, "alice") == 0
    assert rig.tokens.cached(ALICE) is None
    assert other_route.cached(ALICE) is None
    assert rig.tokens.cached(BOB)


async def test_a_users_revocation_meets_entries_and_exchanges():
    """C-25: by any identifier; whoever waited is served, nothing is kept, and no other user is touched."""
    rig = Rig()
    alice, bob = make_subject_token("alice"), make_subject_token("bob")
    alice.identifiers, bob.identifiers = (b"alice", b"a@x"), (b"bob",)
    await get(rig.tokens, bob)
    rig.source.gate = asyncio.Event()
    early = asyncio.create_task(get(rig.tokens, alice))
    await turns()
    assert rig.cache.hear([Revocation("user", b"a@x", START)]) == 0
    late = asyncio.create_task(get(rig.tokens, alice))
    await turns()
    rig.source.gate.set()
    assert [token.value for token in await asyncio.gather(early, late)] == ["alice#2", "alice#3"]
    assert rig.tokens.cached(alice).value == "alice#3"
    assert rig.cache.hear([Revocation("user", b"alice", START)]) == 1
    assert rig.tokens.cached(alice) is None
    assert rig.tokens.cached(bob)
    assert (len(rig.cache.flights), len(rig.cache.flights._identified)) == (0, 0)


async def test_an_answer_is_as_old_as_its_question():
    """C-25: what is revoked while the authorization server thinks is revoked in what it answers."""
    rig = Rig()
    rig.source.gate = asyncio.Event()
    asking = asyncio.create_task(rig.tokens._grant(build_cache_key(b"", ALICE), ALICE))
    await turns()
    rig.clock.advance(5)
    rig.source.gate.set()
    assert (await asking).obtained_at == START


async def test_a_purge_outlives_the_exchange_it_met():
    """C-25: what was being exchanged serves those who waited and becomes no entry; the next asks anew."""
    rig = Rig()
    rig.source.gate = asyncio.Event()
    early = asyncio.create_task(get(rig.tokens, ALICE))
    bobs = asyncio.create_task(get(rig.tokens, BOB))
    await turns()
    await rig.cache.purge(ALICE.issuer, "alice")
    late = asyncio.create_task(get(rig.tokens, ALICE))
    await turns()
    rig.source.gate.set()
    values = [token.value for token in await asyncio.gather(early, bobs, late)]
    assert values == ["alice#1", "bob#2", "alice#3"]
    assert rig.tokens.cached(ALICE).value == "alice#3"
    assert rig.tokens.cached(BOB).value == "bob#2"
    assert len(rig.cache.flights) == 0
