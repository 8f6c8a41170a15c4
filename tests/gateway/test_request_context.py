"""Tokens that are made for the context of a request, and used in no other."""

from __future__ import annotations

import json

from proxy.demo import Demo
from tests.support.proxy import running


async def test_each_context_has_its_token(demo: Demo):
    """The same method and path hit; another of either is another exchange, and says so."""
    raw = demo.settings()
    raw["routes"] = [raw["routes"][0] | {"request_context": ["method", "path", "req_ip"]}]
    async with running(raw) as proxy:
        token = demo.mint("alice")
        for path in ("/orders/1", "/orders/1", "/orders/2", "/orders/1"):
            assert (await proxy.get(path, token)).status_code == 200
        headers = {"Authorization": f"Bearer {token}"}
        assert (await proxy.client.delete("/orders/1", headers=headers)).status_code == 200
    sent = [json.loads(one.form["request_context"]) for one in demo.requests if one.endpoint == "token"]
    assert sent == [
        {"method": "GET", "path": "/orders/1", "req_ip": "127.0.0.1"},
        {"method": "GET", "path": "/orders/2", "req_ip": "127.0.0.1"},
        {"method": "DELETE", "path": "/orders/1", "req_ip": "127.0.0.1"},
    ]


async def test_a_context_beside_an_actor(demo: Demo):
    """Both go along, and both tell entries apart."""
    raw = demo.settings()
    wishes = {"request_context": ["method"], "actor": {"header": "X-Actor-Token", "type": "jwt"}}
    raw["routes"] = [raw["routes"][0] | wishes]
    async with running(raw) as proxy:
        token, actor = demo.mint("alice"), demo.mint("agent")
        answers = [await proxy.get("/orders/1", token, **{"X-Actor-Token": actor}) for _ in range(2)]
    assert [answer.json()["claims"]["act"] for answer in answers] == [{"sub": "agent"}] * 2
    assert demo.calls["token_exchange"] == 1
    assert demo.requests[-1].form["request_context"] == '{"method":"GET"}'


async def test_no_context_where_none_is_asked_for(demo: Demo):
    """What costs nothing is nothing."""
    async with running(demo.settings()) as proxy:
        await proxy.get("/orders/1", demo.mint("alice"))
    assert "request_context" not in demo.requests[-1].form
