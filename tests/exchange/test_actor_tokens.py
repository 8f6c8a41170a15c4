"""Our own tokens beside a user's: fetched once, renewed in time."""

import asyncio

from proxy.exchange.actor_tokens import LEEWAY, ActorTokens
from proxy.exchange.token_exchange import AccessToken, TokenRequest

from ..support.caching import START, make_access_token
from ..support.issuer import StillClock

REQUEST = TokenRequest("okta", "token_exchange", audience="api://orders", scopes=("orders:read",))


async def test_one_token_for_the_same_scopes_until_shortly_before_its_end():
    """X-01: who asks while it is fetched waits for it; what a route asks for beside the scopes does not matter."""
    clock, asked = StillClock(), []

    async def grant(request: TokenRequest) -> AccessToken:
        asked.append(request)
        await asyncio.sleep(0)
        return make_access_token(str(len(asked)), clock.time() + 3600)

    actors = ActorTokens(clock)
    other = TokenRequest("okta", "token_exchange", audience="api://payroll", scopes=("orders:read",))
    found = await asyncio.gather(actors.find(REQUEST, grant), actors.find(other, grant))
    assert [token.value for token in found] == ["1", "1"]
    assert asked == [TokenRequest("okta", "client_credentials", scopes=("orders:read",))]
    clock.advance(3600 - LEEWAY - 1)
    assert (await actors.find(REQUEST, grant)).value == "1"
    clock.advance(1)
    assert (await actors.find(REQUEST, grant)).value == "2"
    assert clock.time() < START + 3600
