"""Delegation through the whole proxy: who acts is verified, taken off the request, and told apart."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.demo import Demo
from proxy.demo.signals import build_entry, send
from tests.support.demo import resign
from tests.support.proxy import Running, running

HEADER = {"actor": {"header": "X-Actor-Token", "type": "jwt"}}


def settings(demo: Demo, **route: Any) -> dict[str, Any]:
    raw = demo.settings()
    raw["routes"] = [raw["routes"][0] | route]
    return raw


async def call(
    proxy: Running, token: str, actor: str | None = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    if actor is not None:
        headers["X-Actor-Token"] = actor
    answer = await proxy.get("/orders/1", token, **headers)
    return answer.status_code, answer.json()


async def test_the_callers_actor(demo: Demo):
    """The API sees who acts in the exchanged token, and nothing of the actor's own."""
    async with running(settings(demo, **HEADER)) as proxy:
        token, agent = demo.mint("alice"), demo.mint("agent")
        status, seen = await call(proxy, token, agent, **{"X_Actor_Token": "forged", "X-Copy": agent})
        again, _ = await call(proxy, token, agent)
        other, seen_other = await call(proxy, token, demo.mint("other"))
    assert (status, again, other) == (200, 200, 200)
    assert (seen["claims"]["sub"], seen["claims"]["act"]) == ("alice", {"sub": "agent"})
    assert seen_other["claims"]["act"] == {"sub": "other"}
    assert not {"x-actor-token", "x_actor_token", "x-copy"} & seen["headers"].keys()
    assert demo.calls["token_exchange"] == 2
    assert demo.requests[-1].form["actor_token_type"] == "urn:ietf:params:oauth:token-type:jwt"


@pytest.mark.parametrize(
    ("spoil", "status", "code"),
    [
        (lambda demo: None, 401, "subject_token_missing"),
        (lambda demo: "not a token", 400, "authorization_malformed"),
        (lambda demo: demo.mint("agent", expires_in=-100), 401, "subject_token_expired"),
        (lambda demo: resign(demo.mint("agent")), 401, "subject_token_invalid"),
        (lambda demo: demo.mint("agent", audience="api://elsewhere"), 401, "subject_token_invalid"),
    ],
    ids=["none", "malformed", "expired", "forged", "audience"],
)
async def test_an_actor_is_verified_as_a_user_is(demo: Demo, spoil, status, code):
    """Nobody acts on a token that would not be taken from a user; nothing is exchanged without."""
    async with running(settings(demo, **HEADER)) as proxy:
        answered = await call(proxy, demo.mint("alice"), spoil(demo))
    assert (answered[0], answered[1]["code"]) == (status, code)
    assert demo.calls["token_exchange"] == 0


@pytest.mark.parametrize(
    ("route", "claims", "passes"),
    [
        (HEADER, {"may_act": {"sub": "agent"}}, True),
        (HEADER, {"may_act": {"sub": "somebody-else"}}, False),
        ({"actor": True}, {"may_act": {"sub": "agent"}}, False),
        ({}, {"may_act": {"sub": "somebody-else"}}, True),
        ({}, {"act": {"sub": "agent"}}, True),
        ({"allowed_actors": []}, {"act": {"sub": "agent"}}, False),
        ({"allowed_actors": ["agent"]}, {"act": {"sub": "agent"}}, True),
        ({"max_actors": 1}, {"act": {"sub": "agent", "act": {"sub": "agent"}}}, False),
    ],
    ids=str,
)
async def test_who_may_act(demo: Demo, route, claims, passes):
    """403 exchange_denied, before anybody is asked: may_act, allowed_actors and max_actors."""
    async with running(settings(demo, **route)) as proxy:
        agent = demo.mint("agent") if "actor" in route else None
        status, seen = await call(proxy, demo.mint("alice", claims=claims), agent)
    assert (status, demo.calls["token_exchange"]) == ((200, 1) if passes else (403, 0))
    assert passes or seen["code"] == "exchange_denied"


async def test_the_actors_access_ends(demo: Demo):
    """C-25: with it what it was given for users ends, and what it has open; others act on."""
    raw = settings(demo, **HEADER) | {"signals": [build_entry(demo.tenant)]}
    async with running(raw) as proxy:
        token, agent, other = (demo.mint(name) for name in ("alice", "agent", "other"))
        for actor in (agent, other):
            assert (await call(proxy, token, actor))[0] == 200
        assert (await send(demo.tenant, proxy.url, "session-revoked", "agent")).status_code == 202
        assert len(proxy.app.parts.store.cache) == 1
        assert [(await call(proxy, token, actor))[0] for actor in (agent, other)] == [401, 200]
        again = demo.mint("agent", claims={"iat": int(demo.tenant.now()) + 1})
        assert (await call(proxy, token, again))[0] == 200
    assert demo.calls["token_exchange"] == 3


async def test_a_purge_of_the_actor(demo: Demo):
    """C-25: what it was given for users is dropped as its own is; others act on with what they have."""
    async with running(settings(demo, **HEADER)) as proxy:
        token, agent, other = (demo.mint(name) for name in ("alice", "agent", "other"))
        for actor in (agent, other):
            await call(proxy, token, actor)
        purged = await proxy.admin.post("/api/purge", json={"issuer": demo.issuer(), "subject": "agent"})
        assert purged.json()["purged"] == 1
        for actor in (agent, other):
            assert (await call(proxy, token, actor))[0] == 200
        assert demo.calls["token_exchange"] == 3
        purged = await proxy.admin.post("/api/purge", json={"issuer": demo.issuer(), "subject": "alice"})
        assert purged.json()["purged"] == 2


async def test_routes_with_other_rules_share_no_entry(demo: Demo):
    """C-02: what one route lets pass is not in another's cache."""
    raw = settings(demo)
    raw["routes"].append(
        raw["routes"][0] | {"name": "strict", "path": "/orders/strict", "allowed_actors": []}
    )
    async with running(raw) as proxy:
        token = demo.mint("alice", claims={"act": {"sub": "agent"}})
        first = await proxy.get("/orders/1", token)
        second = await proxy.get("/orders/strict", token)
    assert (first.status_code, second.status_code) == (200, 403)
