"""The access token for a route and a user, with every way of going wrong."""

import asyncio
import random
from collections import Counter

import pytest

from proxy.cache.access_tokens import AccessTokens
from proxy.cache.key import build_cache_key
from proxy.cache.revocation import Revocation
from proxy.errors import (
    AuthorizationServerThrottled,
    AuthorizationServerTimeout,
    AuthorizationServerUnavailable,
    ExchangeDenied,
    ExchangeMisconfigured,
    ExchangeResponseInvalid,
    ProxyError,
    StepUpRequired,
    SubjectTokenRefused,
)

from ..support.caching import START, Rig, make_subject_token

ALICE = make_subject_token("alice")
BOB = make_subject_token("bob")


def refused(**more):
    return SubjectTokenRefused("invalid_grant", remember_for=30, remember_by="subject_token", **more)


def misconfigured():
    return ExchangeMisconfigured("invalid_client", remember_for=10, remember_by="route")


async def get(tokens, subject_token):
    """As the gateway asks."""
    return tokens.cached(subject_token) or await tokens.obtain(subject_token)


async def turns(number=10):
    """Let everything that is ready run."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_second_request_is_served_from_the_cache():
    """C-01: one exchange serves the user's next requests; another user has his own."""
    rig = Rig()
    first = await get(rig.tokens, ALICE)
    assert await get(rig.tokens, ALICE) is first
    assert (await get(rig.tokens, BOB)).value == "bob#2"
    assert +rig.cache.lookups == {"miss": 2, "hit": 1}
    assert len(rig.cache) == 2


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
    assert +rig.cache.lookups == {"miss": 1, "coalesced": 499}
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


@pytest.mark.parametrize("kind", [SubjectTokenRefused, ExchangeDenied, StepUpRequired])
async def test_a_refusal_is_remembered_for_that_subject_token_alone(kind):
    """C-18: the refused token costs one exchange in 30 s; another of the same user is asked for at once."""
    rig = Rig()
    bad, good = make_subject_token(value="bad"), make_subject_token(value="good")

    def refuse(subject_token):
        if subject_token is not bad:
            return None
        error = kind("no", remedy="ask", oauth_error="invalid_grant")
        error.remember_for, error.remember_by = 300.0, "subject_token"
        return error

    rig.source.refuse = refuse
    errors = []
    for _ in range(5):
        with pytest.raises(kind) as caught:
            await get(rig.tokens, bad)
        errors.append(caught.value)
    assert rig.source.calls == 1
    assert +rig.cache.lookups == {"miss": 1, "refused": 4}
    assert len({id(error) for error in errors}) == 5
    assert {(error.remedy, error.oauth_error, str(error)) for error in errors} == {
        ("ask", "invalid_grant", "no")
    }
    assert (await get(rig.tokens, good)).value == "alice#2"
    rig.clock.advance(29.9)
    with pytest.raises(kind):
        await get(rig.tokens, bad)
    assert rig.source.calls == 2
    rig.clock.advance(0.2)
    with pytest.raises(kind):
        await get(rig.tokens, bad)
    assert rig.source.calls == 3
    assert (await get(rig.tokens, good)).value == "alice#2"


async def test_remembered_refusals_do_not_gather_tracebacks():
    """A refusal given again holds nothing of the request that first met it."""
    rig = Rig()
    rig.source.error = refused()
    depths = []
    for _ in range(4):
        with pytest.raises(SubjectTokenRefused) as caught:
            await get(rig.tokens, ALICE)
        depths.append(len(caught.traceback))
    assert depths[1] == depths[3]
    cause = caught.value.__cause__  # what is compiled tells of none
    assert cause is None or cause.__traceback__ is None


async def test_a_misconfiguration_is_remembered_for_the_route_and_issuer():
    """C-18: ours to mend, so every user of that issuer is answered for 10 s, on that route alone."""
    rig = Rig()
    rig.source.error = misconfigured()
    for user in (ALICE, BOB, ALICE):
        with pytest.raises(ExchangeMisconfigured):
            await get(rig.tokens, user)
    assert rig.source.calls == 1
    rig.source.error = None
    assert await get(rig.route(audience=("api://other",)), ALICE)
    from_elsewhere = make_subject_token("carol")
    object.__setattr__(from_elsewhere, "authorization_server", "trusted")
    assert await get(rig.tokens, from_elsewhere)
    rig.clock.advance(9.9)
    with pytest.raises(ExchangeMisconfigured):
        await get(rig.tokens, ALICE)
    rig.clock.advance(0.2)
    assert await get(rig.tokens, ALICE)


@pytest.mark.parametrize(
    "error",
    [
        AuthorizationServerUnavailable(),
        AuthorizationServerTimeout(),
        AuthorizationServerThrottled(retry_after=5),
        ExchangeResponseInvalid(),
    ],
    ids=lambda error: error.code,
)
async def test_what_is_no_verdict_is_not_remembered(error):
    """C-18: away, slow, busy or garbled says nothing about the user."""
    rig = Rig()
    rig.source.error = error
    for _ in range(2):
        with pytest.raises(type(error)):
            await get(rig.tokens, ALICE)
    assert rig.source.calls == 2
    assert len(rig.cache.refusals) == 0


async def test_refusals_do_not_push_out_tokens():
    """C-18: refusals have a room of their own."""
    rig = Rig(max_entries=4)
    await get(rig.tokens, ALICE)
    rig.source.error = refused()
    for number in range(50):
        with pytest.raises(SubjectTokenRefused):
            await get(rig.tokens, make_subject_token(f"user{number}"))
    assert rig.tokens.cached(ALICE)
    assert len(rig.cache.refusals) == 4


async def test_anothers_refused_token_does_not_shut_out_who_waits_with_a_good_one():
    """C-18: who joined the exchange of another token of the same session goes again with his own, together."""
    rig = Rig()
    bad, good = make_subject_token(value="bad"), make_subject_token(value="good")
    rig.source.refuse = lambda token: refused() if token is bad else None
    rig.source.gate = asyncio.Event()
    first = asyncio.create_task(get(rig.tokens, bad))
    await turns()
    others = [asyncio.create_task(get(rig.tokens, good)) for _ in range(5)]
    await turns()
    rig.source.gate.set()
    with pytest.raises(SubjectTokenRefused):
        await first
    assert {token.value for token in await asyncio.gather(*others)} == {"alice#2"}
    assert rig.source.asked == [bad, good]
    assert rig.tokens.cached(good)


async def test_no_request_waits_while_a_hot_key_is_renewed():
    """C-13: a hit near the end renews in the background, once, with this request's subject token."""
    rig = Rig(revalidate_after=86_400)
    await get(rig.tokens, make_subject_token(value="old"))
    rig.clock.advance(3600 - 30 - 60 - 1)
    current = make_subject_token(value="current")
    assert rig.tokens.cached(current).value == "alice#1"
    assert len(rig.background) == 0
    rig.clock.advance(2)
    rig.source.gate = asyncio.Event()
    for _ in range(10):
        assert rig.tokens.cached(current).value == "alice#1"
        await turns()
    rig.source.gate.set()
    await rig.settle()
    assert rig.tokens.cached(current).value == "alice#2"
    assert [token.value for token in rig.source.asked] == ["old", "current"]
    assert rig.cache.renewals == 1


async def test_a_slow_renewal_is_not_joined_by_another():
    """C-13: one renewal at a time for each key, however long it takes."""
    rig = Rig()
    await get(rig.tokens, ALICE)
    rig.clock.advance(3520)
    rig.source.gate = asyncio.Event()
    for _ in range(8):
        assert rig.tokens.cached(ALICE)
        await turns()
        rig.clock.advance(5)
    rig.source.gate.set()
    await rig.settle()
    assert rig.cache.renewals == 1


async def test_an_idle_key_is_not_renewed():
    """C-13: without a hit nothing is asked for."""
    rig = Rig()
    await get(rig.tokens, ALICE)
    rig.clock.advance(3500)
    await rig.settle()
    assert rig.source.calls == 1


async def test_a_failed_renewal_keeps_the_token_until_its_end_and_pauses():
    """C-13: the authorization server being away shortens nothing, and is asked at most every 5 s."""
    rig = Rig(revalidate_after=86_400)
    await get(rig.tokens, ALICE)
    rig.source.error = AuthorizationServerUnavailable()
    rig.clock.advance(3600 - 30 - 60)
    for _ in range(59):
        assert rig.tokens.cached(ALICE).value == "alice#1"
        await rig.settle()
        rig.clock.advance(1)
    assert rig.source.calls == 1 + 12
    rig.clock.advance(1)
    assert rig.tokens.cached(ALICE) is None


async def test_a_renewal_that_cannot_gain_is_not_made():
    """C-13: where the subject token's own end ends the entry, only a fresher one is worth an exchange."""
    rig = Rig(revalidate_after=86_400)
    old = make_subject_token(value="old", expires_at=START + 600)
    await get(rig.tokens, old)
    rig.clock.advance(560)
    assert rig.tokens.cached(old)
    await rig.settle()
    assert rig.source.calls == 1
    fresh = make_subject_token(value="fresh", expires_at=START + 4000)
    assert rig.tokens.cached(fresh).value == "alice#1"
    await rig.settle()
    assert rig.source.calls == 2
    rig.clock.advance(100)
    assert rig.tokens.cached(fresh).value == "alice#2"


async def test_a_request_after_the_end_joins_the_renewal_under_way():
    """C-06, C-13: the exchange that renews also serves those for whom it came too late."""
    rig = Rig()
    await get(rig.tokens, ALICE)
    rig.clock.advance(3560)
    rig.source.gate = asyncio.Event()
    assert rig.tokens.cached(ALICE)
    rig.clock.advance(20)
    caller = asyncio.create_task(get(rig.tokens, ALICE))
    await turns()
    rig.source.gate.set()
    assert (await caller).value == "alice#2"
    assert rig.source.calls == 2


@pytest.mark.parametrize("error", [refused(), misconfigured()], ids=["refused", "misconfigured"])
async def test_a_refused_revalidation_ends_the_entry_at_once(error):
    """C-14: a hit older than revalidate_after asks again; a refusal ends the user's access."""
    rig = Rig()
    await get(rig.tokens, ALICE)
    rig.source.error = error
    rig.clock.advance(299)
    assert rig.tokens.cached(ALICE)
    await rig.settle()
    assert rig.source.calls == 1
    rig.clock.advance(1)
    assert rig.tokens.cached(ALICE)
    await rig.settle()
    assert rig.tokens.cached(ALICE) is None
    with pytest.raises(type(error)):
        await get(rig.tokens, ALICE)
    assert rig.source.calls == 2


async def test_a_revalidation_that_meets_nobody_changes_nothing():
    """C-14: an authorization server that cannot be reached leaves the entry until it truly ends."""
    rig = Rig()
    await get(rig.tokens, ALICE)
    rig.source.error = AuthorizationServerUnavailable()
    for _ in range(11):
        rig.clock.advance(300)
        assert rig.tokens.cached(ALICE).value == "alice#1"
        await rig.settle()
    rig.clock.advance(300)
    assert rig.tokens.cached(ALICE) is None


async def test_a_revalidation_happens_though_nothing_can_be_gained():
    """C-14: the subject token's end bounds the entry, but the verdict may have changed."""
    rig = Rig()
    user = make_subject_token(expires_at=START + 1000)
    await get(rig.tokens, user)
    rig.clock.advance(300)
    assert rig.tokens.cached(user)
    await rig.settle()
    assert rig.source.calls == 2


async def test_a_refused_renewal_leaves_what_came_in_its_place():
    """C-15: only the entry that was to be renewed is dropped, never a newer one."""
    rig = Rig()
    bad, good = make_subject_token(value="bad"), make_subject_token(value="good")
    await get(rig.tokens, good)
    rig.clock.advance(300)
    rig.source.refuse = lambda token: refused() if token is bad else None
    rig.source.gate = asyncio.Event()
    rig.tokens.cached(bad)
    await turns()
    old = rig.tokens.cached(good)
    assert rig.tokens.reject(good, old)
    caller = asyncio.create_task(rig.tokens.obtain(good))
    await turns()
    rig.source.gate.set()
    assert (await caller).value == "alice#3"
    assert rig.tokens.cached(good).value == "alice#3"


class Session:
    """Tokens of one session by name; those in ``revoked`` are refused. A token is a new object at each request."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.revoked: set[str] = set()
        rig.source.refuse = lambda token: refused() if token.value in self.revoked else None

    async def get(self, name: str, tokens: AccessTokens | None = None) -> str | None:
        """The access token's value; None where it was refused."""
        try:
            return (await get(tokens or self.rig.tokens, make_subject_token(value=name))).value
        except SubjectTokenRefused:
            return None
        finally:
            await self.rig.settle()

    def asked(self, name: str) -> int:
        return sum(token.value == name for token in self.rig.source.asked)


async def test_a_refused_token_finds_no_entry_of_its_session():
    """C-18: asked about every 30 s and refused each time, while another token of the session is served throughout."""
    rig = Rig()
    session = Session(rig)
    session.revoked.add("stolen")
    assert await session.get("stolen") is None
    served = set()
    for _ in range(600):
        served.add(await session.get("good"))
        assert await session.get("stolen") is None
        rig.clock.advance(1)
    assert None not in served
    assert session.asked("stolen") == 20
    assert session.asked("good") == 2  # revalidated once


@pytest.mark.parametrize("others", [[], ["good"], ["good", "better", "best"]], ids=len)
async def test_a_token_uses_its_sessions_entry_until_it_is_asked_about(others):
    """C-14, C-18: however often others of the session renew the entry, each is asked about within revalidate_after."""
    rig = Rig()
    session = Session(rig)
    assert await session.get("first")
    rig.clock.advance(100)
    session.revoked.add("stolen")
    served = 0
    while await session.get("stolen"):
        served += 1
        for name in others:
            assert await session.get(name)
        rig.clock.advance(1)
    assert 199 <= served <= 202
    assert session.asked("stolen") == 1
    for _ in range(400):
        assert await session.get("stolen") is None
        for name in ["first", *others]:
            assert await session.get(name)
        rig.clock.advance(1)


async def test_routes_in_turn_do_not_put_off_the_question():
    """C-18: what is settled about a token is settled, whatever else it asks for in between."""
    rig = Rig()
    session, other = Session(rig), rig.route(audience=("api://other",))
    assert await session.get("good")
    assert await session.get("good", other)
    session.revoked.add("stolen")
    for _ in range(300):
        assert await session.get("stolen")
        assert await session.get("stolen", other)
        rig.clock.advance(1)
        assert await session.get("good")
        assert await session.get("good", other)
    for tokens in (rig.tokens, other):
        await session.get("stolen", tokens)  # asked about in the background
        assert await session.get("stolen", tokens) is None


async def test_a_refused_token_leaves_its_sessions_entry():
    """C-18: the entry is for the token that it was made with, and is revalidated by that one as soon as it comes."""
    rig = Rig()
    session = Session(rig)
    assert await session.get("good") == "alice#1"
    assert await session.get("stolen") == "alice#1"
    session.revoked.add("stolen")
    rig.clock.advance(300)
    assert await session.get("stolen") == "alice#1"
    assert await session.get("stolen") is None
    assert session.asked("good") == 1
    assert await session.get("good") == "alice#1"
    assert session.asked("good") == 2
    assert await session.get("good") == "alice#3"


async def test_a_refusal_on_one_route_ends_what_another_route_has_noted():
    """C-18: routes that ask for the same forget a refused token together, while its session's entry lives on."""
    rig = Rig()
    first, other = rig.tokens, rig.route()
    good, stolen = make_subject_token(value="good"), make_subject_token(value="stolen")
    assert await get(first, good) is await get(first, stolen) is await get(other, stolen)
    Session(rig).revoked.add("stolen")
    rig.clock.advance(300)
    assert first.cached(good)
    await rig.settle()
    rig.source.gate = asyncio.Event()
    assert first.cached(stolen)  # asked about in the background
    assert other.cached(stolen)
    rig.source.gate.set()
    await rig.settle()
    assert other.cached(stolen) is None
    assert first.cached(stolen) is None
    assert other.cached(good)


async def test_the_entry_ends_with_the_token_that_it_was_made_with():
    """C-14: its refusal ends it for the session, whose other tokens are asked about by themselves."""
    rig = Rig()
    session = Session(rig)
    assert await session.get("stolen") == "alice#1"
    assert await session.get("good") == "alice#1"
    session.revoked.add("stolen")
    rig.clock.advance(300)
    assert await session.get("stolen") == "alice#1"
    assert await session.get("stolen") is None
    assert await session.get("good") == "alice#3"
    assert await session.get("stolen") is None


async def test_a_token_that_is_accepted_again_is_served_again():
    """C-18: a refusal is remembered for 30 s; then it is what the authorization server says that counts."""
    rig = Rig()
    session = Session(rig)
    session.revoked.add("odd")
    assert await session.get("odd") is None
    assert await session.get("good") == "alice#2"
    session.revoked.clear()
    rig.clock.advance(30)
    assert await session.get("odd") == "alice#3"
    for _ in range(20):
        rig.clock.advance(1)
        assert await session.get("odd") == await session.get("good") == "alice#3"
    assert rig.source.calls == 3


async def test_a_refused_token_waits_for_no_exchange_of_another():
    """C-18: what another token of the session is about to be given is not for it either."""
    rig = Rig()
    session = Session(rig)
    session.revoked.add("stolen")
    assert await session.get("stolen") is None
    rig.clock.advance(30)
    rig.source.gate = asyncio.Event()
    good = asyncio.create_task(get(rig.tokens, make_subject_token(value="good")))
    await turns()
    stolen = asyncio.create_task(get(rig.tokens, make_subject_token(value="stolen")))
    await turns()
    rig.source.gate.set()
    assert (await good).value == "alice#2"
    with pytest.raises(SubjectTokenRefused):
        await stolen


async def test_an_outage_refuses_nobody_who_was_not():
    """C-14, C-18: nobody answers: a token keeps its session's entry until that ends, one that was refused gets none."""
    rig = Rig()
    session = Session(rig)
    session.revoked.add("stolen")
    assert await session.get("stolen") is None
    assert await session.get("good") == "alice#2"
    rig.source.error = AuthorizationServerUnavailable()
    rig.clock.advance(30)
    for _ in range(600):
        assert await session.get("good") == await session.get("other") == "alice#2"
        with pytest.raises(AuthorizationServerUnavailable):
            await session.get("stolen")
        rig.clock.advance(1)
    for name in ("good", "other"):
        assert session.asked(name) <= 1 + 330 / 5


@pytest.mark.parametrize("seed", range(10))
async def test_who_was_refused_is_never_served(seed):
    """C-18: tokens of one session, revoked and accepted again at random, in any order."""
    rig, dice = Rig(revalidate_after=20, max_entries=5), random.Random(seed)
    session, strangers = Session(rig), [make_subject_token(f"user{number}") for number in range(6)]
    names = ["one", "two", "three", "four"]
    told: dict[str, bool] = {}
    refuse = rig.source.refuse

    def tell(token):
        error = refuse(token)
        told[token.value] = error is None
        return error

    rig.source.refuse = tell
    for _ in range(2000):
        name = dice.choice(names)
        if dice.random() < 0.01:
            session.revoked ^= {name}
        refused_before = told.get(name) is False
        served = await session.get(name)
        assert served is None or not refused_before or told[name]
        if seed % 2:
            await get(rig.tokens, dice.choice(strangers))
        rig.clock.advance(dice.choice([0, 0.5, 1, 6]))


async def test_a_demand_for_stronger_authentication_ends_the_entry():
    """C-14: it is a no to this token as much as a refusal is, though nobody remembers it."""
    rig = Rig()
    await get(rig.tokens, ALICE)
    rig.source.error = StepUpRequired("mfa")
    rig.clock.advance(300)
    assert rig.tokens.cached(ALICE)
    await rig.settle()
    with pytest.raises(StepUpRequired):
        await get(rig.tokens, ALICE)
    assert rig.source.calls == 3


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
