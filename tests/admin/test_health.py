"""Whether the process serves, and may be sent requests."""

from __future__ import annotations

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


async def test_trouble_that_does_not_concern_all_is_no_reason_to_be_taken_out(demo: Demo):
    """K-08: an issuer whose keys are not there keeps nobody else waiting; the answer is a 200 that says so."""
    raw = demo.settings()
    raw["authorization_servers"]["dead"] = {"issuer": "http://127.0.0.1:9/oauth2/default"}
    raw["subject_tokens"].append({"authorization_server": "dead", "expected_audience": "api://default"})
    async with running(raw) as proxy:
        assert (await proxy.get("/orders/1", demo.mint("alice"))).status_code == 200
        degraded = await proxy.admin.get("/readyz")
        assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
        (reason,) = degraded.json()["reasons"]
        assert reason.startswith("http://127.0.0.1:9/oauth2/default: signing keys are not there")
