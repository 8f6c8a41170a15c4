"""`--once` fails where the request does not come through."""

from __future__ import annotations

from proxy.admin import build_admin
from proxy.app import build_app
from proxy.config.load import parse_settings
from proxy.demo.once import show_request
from proxy.server import Server


async def test_refusal_is_shown(demo):
    """An exchange that the org refuses ends in the proxy's own answer, and a failure."""
    demo.tenant.servers["orders"].trusted.clear()
    settings = parse_settings(demo.settings())
    app = build_app(settings)
    async with Server(settings, app, build_admin(app)) as server:
        host, port = server.address
        shown, passed = await show_request(demo, f"http://{host}:{port}")
    assert not passed
    assert "exchange_misconfigured" in shown
