"""A caller without a good token learns at once what to ask for."""

from __future__ import annotations

from proxy.demo import Demo
from tests.support.proxy import running


async def test_challenges_name_the_routes_scopes(demo: Demo):
    """MCP 2026-07-28: scope stands in the challenge of a missing and of an invalid token, where the route has any."""
    raw = demo.settings()
    raw["routes"][0] |= {"required_scopes": ["orders:read", "profile"]}
    async with running(raw) as proxy:
        missing = await proxy.get("/orders/1")
        expired = await proxy.get("/orders/1", demo.mint("alice", expires_in=-100))
        elsewhere = await proxy.get("/profile")
    for answer in (missing, expired):
        assert answer.status_code == 401
        assert 'scope="orders:read profile"' in answer.headers["www-authenticate"]
    assert "scope=" not in elsewhere.headers["www-authenticate"]
