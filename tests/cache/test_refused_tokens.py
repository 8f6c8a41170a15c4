"""What is refused is refused to the token that was asked about, and to nobody else."""

import asyncio
import random
from collections import Counter

import pytest

from proxy.cache.access_tokens import AccessTokens
from proxy.errors import (
    AuthorizationServerThrottled,
    AuthorizationServerTimeout,
    AuthorizationServerUnavailable,
    ExchangeDenied,
    ExchangeMisconfigured,
    ExchangeResponseInvalid,
    StepUpRequired,
    SubjectTokenRefused,
)

from ..support.caching import ALICE, BOB, Rig, get, make_subject_token, misconfigured, refused, turns


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
    assert +Counter(rig.cache.lookups) == {"miss": 1, "refused": 4}
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
