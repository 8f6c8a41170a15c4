"""Who acts for a user: our own token, fetched once and renewed in time, a file's, or the request's."""

from __future__ import annotations

import asyncio

import pytest

from proxy.errors import AuthorizationServerUnavailable, ExchangeDenied, ExchangeMisconfigured
from proxy.exchange.actor_tokens import LEEWAY, ActorTokens
from proxy.exchange.token_exchange import AccessToken, TokenRequest

from ..support.caching import START, make_access_token, make_subject_token
from ..support.issuer import StillClock

URN = "urn:ietf:params:oauth:token-type:"
OURS = TokenRequest("okta", "token_exchange", audience=("api://orders",), scopes=("orders:read",), actor=True)
ALICE = make_subject_token("alice")


class Rig:
    """``asked`` are the scopes for which we got a token of our own."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.asked: list[tuple[str, ...]] = []
        self.lifetime: float | None = 3600.0
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None  # for those who ask with scopes
        self.actors = ActorTokens(self._grant, "0oa1", self.clock)

    async def _grant(self, scopes: tuple[str, ...]) -> AccessToken:
        self.asked.append(scopes)
        number = str(len(self.asked))
        await asyncio.sleep(0)
        if self.gate is not None and scopes:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return make_access_token(number, self.lifetime and self.clock.time() + self.lifetime)

    async def find(self, request: TokenRequest, subject_token=ALICE) -> str:
        found = await self.actors.find(request, subject_token)
        assert found is not None
        return found.value


async def test_one_token_for_the_same_scopes_until_shortly_before_its_end():
    """X-01: who asks while it is fetched waits for it; what a route asks for beside the scopes does not matter."""
    rig = Rig()
    other = TokenRequest("okta", "token_exchange", audience=("api://x",), scopes=("orders:read",), actor=True)
    assert await asyncio.gather(rig.find(OURS), rig.find(other)) == ["1", "1"]
    assert rig.asked == [("orders:read",)]
    rig.clock.advance(3600 - LEEWAY - 1)
    assert await rig.find(OURS) == "1"
    rig.clock.advance(1)
    assert await rig.find(OURS) == "2"
    assert rig.clock.time() < START + 3600


async def test_who_waits_while_it_is_refused_is_told_so_at_once():
    """Each would else wait for its own timeout behind the others'; who asks later asks again."""
    rig = Rig()
    rig.error = AuthorizationServerUnavailable("away")
    waiting = [asyncio.create_task(rig.find(OURS)) for _ in range(20)]
    refused = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(one) for one in refused} == {AuthorizationServerUnavailable}
    assert len({id(one) for one in refused}) == 20
    assert rig.asked == [("orders:read",)]
    rig.error = None
    assert await rig.find(OURS) == "2"


async def test_one_token_that_tells_no_end_serves_all_who_wait():
    """RFC 6749 §5.1 only recommends expires_in."""
    rig = Rig()
    rig.lifetime = None
    assert set(await asyncio.gather(*(rig.find(OURS) for _ in range(20)))) == {"1"}
    assert await rig.find(OURS) == "2"


async def test_other_scopes_wait_for_nobody():
    rig = Rig()
    rig.gate = asyncio.Event()
    slow = asyncio.create_task(rig.find(OURS))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(rig.find(TokenRequest("okta", "token_exchange", actor=True)), 5) == "2"
    rig.gate.set()
    assert await slow == "1"


async def test_the_scopes_of_a_first_leg_are_another_servers():
    """Our own token at the identity provider is asked for without them."""
    rig = Rig()
    first = TokenRequest("okta", "token_exchange", scopes=("chat.read",), actor=True, leg=1)
    await rig.find(first)
    assert rig.asked == [()]


async def test_an_opaque_token_of_ours_is_our_clients():
    """may_act names our client, and nobody else."""
    rig = Rig()
    assert await rig.find(OURS, make_subject_token("alice", may_act={"client_id": "0oa1"})) == "1"
    with pytest.raises(ExchangeDenied):
        await rig.find(OURS, make_subject_token("alice", may_act={"client_id": "other"}))


async def test_the_requests_own():
    """It has been verified; without it nothing is exchanged."""
    request = TokenRequest("okta", "token_exchange", actor_type=URN + "jwt")
    agent = make_subject_token("agent")
    assert await Rig().find(request, ALICE.act_by(agent)) == agent.value
    with pytest.raises(ExchangeMisconfigured):
        await Rig().find(request)


async def test_nobody_where_none_is_asked_for():
    """And a file that is not there is no reason to go on without."""
    assert await Rig().actors.find(TokenRequest("okta", "token_exchange"), ALICE) is None
    with pytest.raises(AuthorizationServerUnavailable, match="cannot be read"):
        await Rig().find(
            TokenRequest("okta", "token_exchange", actor_type="urn:x", actor_file="/nowhere/actor")
        )
