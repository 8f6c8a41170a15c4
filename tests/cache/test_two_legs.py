"""A token that takes two calls: what each is asked for, how often, and what an ID-JAG too many would cost."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

import pytest

from proxy.cache.access_tokens import AccessTokens
from proxy.cache.two_legs import TwoLegs
from proxy.errors import (
    AuthorizationServerUnavailable,
    ExchangeDenied,
    ExchangeMisconfigured,
    ExchangeResponseInvalid,
    SubjectTokenRefused,
)
from proxy.exchange.first_leg import FirstLeg
from proxy.exchange.token_exchange import TokenRequest, build_access_token

from ..support.caching import START, FakeSource, Rig, get, make_subject_token
from ..support.id_jag import CHAT, ID_JAG, OURS

FIRST = TokenRequest(
    "okta",
    "token_exchange",
    audience=(CHAT,),
    scopes=("chat.read",),
    requested_token_type=ID_JAG,
    leg=1,
    first_leg=FirstLeg("id_jag", (CHAT,), OURS),
)
SECOND = TokenRequest("chat", "assertion", scopes=("chat.read",), leg=2)
ALICE = make_subject_token("alice")
BOB = make_subject_token("bob")
HOUR = 3600.0


class IdentityProvider(FakeSource):
    """Makes first tokens."""

    async def grant(self, request, subject_token):
        made = await super().grant(request, subject_token)
        return build_access_token(f"id-jag-{made.value}", "N_A", made.expires_at, ())


class Redeemer(FakeSource):
    """Redeems them; with ``single_use`` each only once."""

    client_identity = ("https://auth.chat.example/token", OURS, "client_secret_basic", "")
    single_use = False

    def __init__(self, *settings):
        super().__init__(*settings)
        self.redeemed = []

    async def grant(self, request, subject_token):
        assertion = subject_token.value
        assert assertion.startswith(f"id-jag-{subject_token.subject}#")
        taken = assertion in self.redeemed
        self.redeemed.append(assertion)
        if taken and self.single_use:
            raise refused()
        return await super().grant(request, subject_token)


def attach(rig, *, counted=True):
    """Two servers at ``rig``; ID-JAGs live for 5 minutes, access tokens for an hour."""
    rig.identity_provider = IdentityProvider(rig.clock, 300.0)
    rig.redeemer = Redeemer(rig.clock)
    rig.counted = counted
    rig.tokens = build_two_legs(rig)


def build_two_legs(rig, **changes):
    first = AccessTokens(
        replace(FIRST, **changes), rig.identity_provider, rig.cache, may_renew=lambda _: False, first=True
    )
    legs = TwoLegs(first, rig.redeemer)
    return AccessTokens(SECOND, legs, rig.cache, may_renew=legs.holds_first if rig.counted else None)


class Legs(Rig):
    """A route with two legs."""

    def __init__(self, *, counted=True, **settings):
        super().__init__(**settings)
        attach(self, counted=counted)

    @property
    def calls(self):
        """ID-JAGs made, ID-JAGs redeemed."""
        return self.identity_provider.calls, len(self.redeemer.redeemed)


def refused(**more):
    return SubjectTokenRefused("invalid_grant", remember_for=30, remember_by="subject_token", **more)


async def test_whether_a_first_token_is_at_hand():
    """To ask that keeps nothing of who asks."""
    rig = Rig()
    first = AccessTokens(FIRST, IdentityProvider(rig.clock, 300.0), rig.cache, first=True)
    legs, token = TwoLegs(first, Redeemer(rig.clock)), make_subject_token("alice")
    kept = sys.getrefcount(token)
    assert not legs.holds_first(token)
    assert sys.getrefcount(token) == kept
    await first.obtain(token)
    assert legs.holds_first(token)


async def test_one_of_each():
    """The first request makes both calls, the next none; another user has his own."""
    legs = Legs()
    first = await get(legs.tokens, ALICE)
    assert await get(legs.tokens, ALICE) is first
    assert first.token_type == "Bearer"
    await get(legs.tokens, BOB)
    assert legs.calls == (2, 2)
    assert legs.redeemer.redeemed == ["id-jag-alice#1", "id-jag-bob#2"]


async def test_500_first_requests_make_one_call_each():
    """C-06: one leg 1, one leg 2, however many miss at once."""
    legs = Legs()
    legs.identity_provider.gate = asyncio.Event()
    callers = [asyncio.create_task(get(legs.tokens, ALICE)) for _ in range(500)]
    for _ in range(10):
        await asyncio.sleep(0)
    legs.identity_provider.gate.set()
    assert len({token.value for token in await asyncio.gather(*callers)}) == 1
    assert legs.calls == (1, 1)
    assert len(legs.cache.flights) == 0


async def spend(legs, hours, *, every=60.0):
    """ID-JAGs of a user who asks ``every`` so many seconds, always with a token that is good for an hour."""
    for _ in range(int(hours * HOUR / every)):
        await get(legs.tokens, make_subject_token("alice", expires_at=START + 30 * HOUR))
        await legs.settle()
        legs.clock.advance(every)
    return legs.identity_provider.calls


async def test_a_day_of_eight_hours_with_the_defaults():
    """No more than one an hour: access tokens live an hour, and nothing in the background spends any."""
    assert await spend(Legs(), 8) == 8


@pytest.mark.parametrize(
    "settings",
    [
        {"revalidate_after": 1},
        {"revalidate_after": 60},
        {"revalidate_after": 86_400},
        {"refresh_ahead": 1800},
        {"refresh_ahead": 0, "revalidate_after": 0},
    ],
    ids=str,
)
async def test_no_setting_of_renewal_spends_more(settings):
    """Whatever revalidate_after and refresh_ahead say; more often than each minute a user may ask, too."""
    assert await spend(Legs(**settings), 8) == 8


async def test_a_user_who_never_pauses():
    """Who asks every second meets each token's end at once: it comes the leeway before the hour is over."""
    assert await spend(Legs(), 2, every=1.0) == 3


@pytest.mark.parametrize("max_ttl", [0, 60, 120])
async def test_short_entries_cost_redemptions_only(max_ttl):
    """cache.max_ttl ends access tokens; the ID-JAG is redeemed again until its own end."""
    legs = Legs(max_ttl=max_ttl, expiry_leeway=0)
    assert await spend(legs, 1, every=10.0) <= 12
    assert len(legs.redeemer.redeemed) > 24


async def test_renewal_in_the_background_redeems_again():
    """While the first token lives, revalidate_after asks the redeeming server alone."""
    legs = Legs(revalidate_after=60)
    await get(legs.tokens, ALICE)
    legs.clock.advance(61)
    await get(legs.tokens, ALICE)
    await legs.settle()
    assert legs.calls == (1, 2)
    assert (await get(legs.tokens, ALICE)).value == "alice#2"


async def test_a_hit_is_not_looked_up_once_nothing_is_to_be_renewed():
    """The fast path stays the fast path: what will not be renewed is not asked about at each hit."""
    legs = Legs()
    await get(legs.tokens, ALICE)
    legs.clock.advance(400)
    await get(legs.tokens, ALICE)
    await get(legs.tokens, ALICE)
    legs.clock.advance(1200)
    assert legs.tokens._memo.recall(ALICE) is not None
    assert legs.cache.renewals == 0


async def test_another_token_of_the_session_costs_nothing():
    """A refreshed token uses the session's entry, and asks for no ID-JAG of its own."""
    legs = Legs()
    await get(legs.tokens, make_subject_token(value="one", jti="1"))
    for number in range(10):
        legs.clock.advance(350)
        await get(legs.tokens, make_subject_token(value=f"two{number // 5}", jti="2"))
        await legs.settle()
    assert legs.calls == (1, 1)


async def test_chained_tokens_are_renewed_as_any():
    """Nobody counts those of identity chaining: both calls are made again in the background."""
    legs = Legs(counted=False)
    await get(legs.tokens, ALICE)
    legs.clock.advance(301)
    assert (await get(legs.tokens, ALICE)).value == "alice#1"
    await legs.settle()
    assert legs.calls == (2, 2)


async def test_a_server_that_takes_each_first_token_once():
    """RFC 7523 §3: where the one that was kept is taken no more, another is made, and one alone."""
    legs = Legs(max_ttl=60, expiry_leeway=0)
    legs.redeemer.single_use = True
    for _ in range(3):
        await get(legs.tokens, ALICE)
        legs.clock.advance(70)
    assert legs.calls == (3, 5)


async def test_a_refused_user_spends_one_for_each_life_of_an_id_jag():
    """The redeeming server's no is not answered by another ID-JAG: the one that it never took is good enough."""
    legs = Legs()
    legs.redeemer.refuse = lambda _: refused()
    for _ in range(8):
        with pytest.raises(SubjectTokenRefused):
            await get(legs.tokens, ALICE)
        legs.clock.advance(31)
    assert legs.identity_provider.calls == 1
    assert len(legs.redeemer.redeemed) == 8


@pytest.mark.parametrize(
    "error",
    [
        AuthorizationServerUnavailable("away"),
        ExchangeDenied("policy", remember_for=30, remember_by="subject_token"),
        ExchangeMisconfigured("client", remember_for=10, remember_by="route"),
    ],
)
async def test_no_other_refusal_costs_an_id_jag(error):
    """The first token is kept through an outage and a misconfiguration of the redeeming server."""
    legs = Legs()
    legs.redeemer.error = error
    for _ in range(4):
        with pytest.raises(type(error)):
            await get(legs.tokens, ALICE)
        legs.clock.advance(40)
    assert legs.identity_provider.calls == 1


@pytest.mark.parametrize("error", ["invalid_scope", "invalid_request"])
async def test_scopes_that_are_refused_either_way(error):
    """The first refusal is told, which names the scopes; and what was learnt stays open."""
    legs = Legs()
    legs.redeemer.error = ExchangeMisconfigured("no such scope", oauth_error=error)
    with pytest.raises(ExchangeMisconfigured, match="no such scope"):
        await get(legs.tokens, ALICE)
    assert legs.calls == (1, 2)
    legs.redeemer.error = None
    await get(legs.tokens, BOB)
    assert legs.calls == (2, 3)


@pytest.mark.parametrize("sends_scope", [True, False], ids=["scopes refused", "first token refused"])
async def test_a_refusal_that_another_try_makes_good_holds_nothing(sends_scope):
    """Who keeps it, as the server's status does, keeps neither the user's token nor the first one."""
    legs, kept = Legs(), []

    class Server(Redeemer):
        async def grant(self, request, subject_token):
            if not kept and (sends_scope or self.redeemed):
                kept.append(
                    ExchangeMisconfigured("scopes", oauth_error="invalid_scope") if sends_scope else refused()
                )
                raise kept[0]
            return await super().grant(request, subject_token)

    legs.redeemer = Server(legs.clock)
    legs.tokens = build_two_legs(legs)
    token = await get(legs.tokens, ALICE)
    assert legs.tokens.reject(ALICE, token)
    await get(legs.tokens, ALICE)
    assert kept[0].__traceback__ is None


async def test_the_identity_providers_refusal_is_the_users():
    """Leg 1 refused: nothing is redeemed, and it is remembered."""
    legs = Legs()
    legs.identity_provider.error = refused()
    for _ in range(3):
        with pytest.raises(SubjectTokenRefused):
            await get(legs.tokens, ALICE)
    assert legs.calls == (1, 0)


async def test_a_purge_takes_both():
    """C-25: after it the identity provider is asked again."""
    legs = Legs()
    await get(legs.tokens, ALICE)
    assert await legs.cache.purge(ALICE.issuer, ALICE.subject) == 2
    await get(legs.tokens, ALICE)
    assert legs.calls == (2, 2)


async def test_what_may_have_been_revoked_unheard_is_renewed():
    """C-25: a replica that missed revocations asks anew, both servers, whatever it costs; once for each user."""
    legs = Legs()
    await get(legs.tokens, ALICE)
    legs.clock.advance(400)
    await get(legs.tokens, ALICE)
    legs.cache.doubt(300)
    assert legs.calls == (1, 1)
    legs.clock.advance(301)
    for _ in range(3):
        await get(legs.tokens, ALICE)
        await legs.settle()
        legs.clock.advance(400)
    assert legs.calls == (2, 2)


async def test_an_upstream_that_says_401_costs_a_redemption():
    """C-15: the access token goes, the first token stays."""
    legs = Legs()
    token = await get(legs.tokens, ALICE)
    assert legs.tokens.reject(ALICE, token)
    assert (await get(legs.tokens, ALICE)).value == "alice#2"
    assert legs.calls == (1, 2)


@pytest.mark.parametrize(
    "changes", [{"audience": ("https://other.example",)}, {"resource": ("https://a.example/",)}], ids=str
)
async def test_what_the_first_leg_asks_for_is_in_the_key(changes):
    """C-02: two routes that redeem alike, but of other first tokens, share no access token."""
    legs = Legs()
    await get(legs.tokens, ALICE)
    assert build_two_legs(legs, **changes).cached(ALICE) is None


async def test_the_redeeming_server_may_not_echo_the_subject_token():
    """F-03: the caller's own token goes nowhere, whoever hands it back."""
    legs = Legs()
    subject_token = make_subject_token("alice", value="alice#1")
    with pytest.raises(ExchangeResponseInvalid, match="subject token itself"):
        await get(legs.tokens, subject_token)


async def test_two_legs_need_a_user():
    """F-03: no token is made for nobody."""
    legs = Legs()
    with pytest.raises(ExchangeMisconfigured):
        await legs.tokens.obtain(None)
