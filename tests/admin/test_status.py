"""The state of a proxy, as JSON."""

from __future__ import annotations

import asyncio
import json

from proxy.demo import Demo
from tests.support.proxy import Running, running


async def test_status_tells_what_happened(demo: Demo, proxy: Running):
    """What the page shows is there as JSON: traffic, servers with their keys, cache and failures."""
    token = demo.mint("alice")
    for _ in range(3):
        await proxy.get("/orders/1", token)
    await proxy.get("/orders/1")
    status = (await proxy.admin.get("/api/status")).json()
    assert status["status"] == "ready"
    assert status["recent"]["requests"] > 0
    assert status["cache"]["lookups"] == {"hit": 2, "miss": 1, "coalesced": 0, "refused": 0}
    servers = {server["name"]: server for server in status["authorization_servers"]}
    assert servers["orders"]["exchanges"] == {"ok": 1}
    assert servers["orders"]["rate_limit"]["remaining"] > 0
    assert servers["default"]["signing_keys"]["ready"]
    [failure] = status["failures"]
    assert (failure["code"], failure["route"]) == ("subject_token_missing", "orders")
    assert failure["remedy"]
    [orders] = [route for route in status["routes"] if route["name"] == "orders"]
    assert (orders["requests"], orders["refused"], orders["failed"]) == (4, 1, 0)


async def test_trouble_is_named(demo: Demo, proxy: Running):
    """An authorization server that is down shows in the state, its card and the failures."""
    demo.faults.fail("token")
    await asyncio.gather(*(proxy.get("/orders/1", demo.mint(f"user{user}")) for user in range(8)))
    status = (await proxy.admin.get("/api/status")).json()
    assert status["status"] == "degraded"
    [reason] = status["reasons"]
    assert reason.startswith("orders:")
    servers = {server["name"]: server["healthy"] for server in status["authorization_servers"]}
    assert servers == {"default": True, "orders": False, "payroll": True}
    page = (await proxy.admin.get("/")).text
    assert "Working, with trouble" in page
    assert "in trouble" in page


async def test_a_closed_gate_is_trouble_too(demo: Demo, proxy: Running):
    """While a server wants to be left alone, the page says for how long."""
    demo.faults.rate_limit(reset_in=60)
    await proxy.get("/orders/1", demo.mint("alice"))
    status = (await proxy.admin.get("/api/status")).json()
    assert "takes no more requests" in status["reasons"][0]


async def test_a_server_whose_keys_are_missing_is_unready(demo: Demo):
    """Nobody can be served: the page says so and why."""
    demo.faults.fail("keys")
    async with running(demo.settings()) as proxy:
        await demo.calls.reach("keys", 1)
        status = (await proxy.admin.get("/api/status")).json()
        assert status["status"] == "unready"
        assert (await proxy.admin.get("/readyz")).status_code == 503
        assert (await proxy.admin.get("/healthz")).status_code == 200
        assert "signing keys" in status["reasons"][0]
        assert "Not serving" in (await proxy.admin.get("/")).text


async def test_a_status_of_many_samples_is_json(proxy: Running):
    """An hour's points, each with its figures or null."""
    for _ in range(7):
        proxy.app.history.sample()
    status = (await proxy.admin.get("/api/status")).json()
    assert len(status["history"]["points"]) == 3
    assert status["history"]["points"][0]["hit_ratio"] is None
    json.dumps(status, allow_nan=False)
