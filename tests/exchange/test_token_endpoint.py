"""What is asked of the token URL for whom, and what a refusal there comes to: over real sockets."""

from __future__ import annotations

import pytest

from proxy.errors import AuthorizationServerThrottled, ExchangeMisconfigured, InteractionRequired, ProxyError
from proxy.exchange.token_exchange import TokenRequest

from ..support.exchanging import ALICE, GOOD, REQUEST, TOKEN, exchanging, make_subject_token
from ..support.scripted_server import answer

SERVICE = TokenRequest("okta", "client_credentials", scopes=("orders:read",))


async def test_a_route_without_a_user_sends_nobodys_token():
    """Client credentials: a subject token that came along is not sent."""
    async with exchanging(GOOD) as at:
        await at.server.grant(SERVICE, ALICE)
        assert set(at.asked[0].form) == {"grant_type", "scope"}


async def test_a_grant_for_a_user_needs_one():
    """F-03: the grants never fall back into each other."""
    async with exchanging(GOOD) as at:
        with pytest.raises(ExchangeMisconfigured):
            await at.server.grant(REQUEST, None)
        assert at.asked == []


async def test_what_is_said_of_an_actor_is_repeated_nowhere():
    """As little as what is said of the user."""
    request = TokenRequest("okta", "token_exchange", actor_type="urn:ietf:params:oauth:token-type:jwt")
    said = "mallory@example.com may not act for carol@example.com"
    acted = make_subject_token("carol@example.com").act_by(make_subject_token("mallory@example.com"))
    async with exchanging(answer(400, {"error": "access_denied", "error_description": said})) as at:
        with pytest.raises(ProxyError) as refused:
            await at.server.grant(request, acted)
        assert "example.com" not in str(refused.value)
        assert "may not act for" in str(refused.value)


async def test_the_actor_token_is_our_own_and_kept():
    """RFC 8693 §2.1: our client-credentials token goes along; one is fetched for many users."""
    actor = TokenRequest(
        "okta", "token_exchange", audience=("api://orders",), scopes=("orders:read",), actor=True
    )
    ours = answer(200, TOKEN | {"access_token": "ours"})
    async with exchanging(ours, GOOD, GOOD, ours, GOOD) as at:
        await at.server.grant(actor, ALICE)
        await at.server.grant(actor, make_subject_token("bob"))
        kinds = [asked.form["grant_type"].rpartition(":")[2] for asked in at.asked]
        assert kinds == ["client_credentials", "token-exchange", "token-exchange"]
        assert at.asked[2].form["actor_token"] == "ours"
        at.clock.advance(271)  # within the leeway before its end
        await at.server.grant(actor, ALICE)
        assert len(at.asked) == 5


async def test_one_users_limit_is_that_users():
    """X-23: 429 invalid_grant holds back alice for a second, and nobody else."""
    limit = answer(429, {"error": "invalid_grant", "error_description": "API call exceeded rate limit"})
    async with exchanging(limit, GOOD) as at:
        for _ in range(5):
            with pytest.raises(AuthorizationServerThrottled) as refused:
                await at.server.grant(REQUEST, ALICE)
            assert refused.value.retry_after == 1
        assert len(at.asked) == 1
        assert await at.server.grant(REQUEST, make_subject_token("bob"))
        at.clock.advance(1.1)
        assert await at.server.grant(REQUEST, ALICE)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("https://127.0.0.1/consent", True),
        ("https://evil.example/consent", False),
        ("http://127.0.0.1/", False),
    ],
)
async def test_consent_is_given_at_the_servers_own_host(uri, told):
    """An interaction_uri on another host is not passed on; the refusal is the same."""
    body = {"error": "interaction_required", "error_description": "consent", "interaction_uri": uri}
    async with exchanging(answer(400, body)) as at:
        with pytest.raises(InteractionRequired) as caught:
            await at.server.grant(REQUEST, ALICE)
    assert caught.value.interaction_uri == (uri if told else None)
    assert "consent" in str(caught.value)
    assert uri not in str(caught.value)
