"""Whether the process serves, and may be sent requests."""

from __future__ import annotations

import asyncio

from proxy.demo import Demo
from tests.support.proxy import Running, running


async def test_draining_shows(demo: Demo, proxy: Running):
    """The last state of a process: it is sent no more requests."""
    await proxy.get("/orders/1", demo.mint("alice"))  # with that the keys are there
    assert (await proxy.admin.get("/readyz")).json() == {"status": "ready", "reasons": []}
    proxy.app.draining = True
    assert (await proxy.admin.get("/readyz")).status_code == 503
    assert (await proxy.admin.get("/api/status")).json()["status"] == "draining"
    assert "Shutting down" in (await proxy.admin.get("/")).text


async def test_a_process_that_cannot_serve_yet_lives(demo: Demo):
    """K-08: an orchestrator sends it no requests, and does not restart it; it says what it waits for."""
    demo.faults.fail("keys")
    async with running(demo.settings()) as proxy:
        assert (await proxy.admin.get("/healthz")).json() == {"status": "ok"}
        unready = await proxy.admin.get("/readyz")
        assert (unready.status_code, unready.json()["status"]) == (503, "unready")
        assert unready.json()["reasons"]


async def test_trouble_that_does_not_concern_all_is_no_reason_to_be_taken_out(demo: Demo, proxy: Running):
    """F-01: cached users are served; the answer is a 200 that says ``degraded``."""
    demo.faults.fail("token")
    await asyncio.gather(*(proxy.get("/orders/1", demo.mint(f"user{user}")) for user in range(8)))
    degraded = await proxy.admin.get("/readyz")
    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    assert degraded.json()["reasons"][0].startswith("orders:")
