"""Routes that ask callers for no token: being reached through somebody's browser is no permission."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.demo import Demo
from tests.support.proxy import Running, running
from tests.support.recording_upstream import RecordingUpstream

PAGE = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
REBOUND = {"Host": "evil.example:8080", "Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example:8080"}
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


@pytest.fixture
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as recording:
        yield recording


def settle(demo: Demo, url: str, tmp_path: Path, **reports: Any) -> dict[str, Any]:
    """The demo's routes before the upstream at ``url``, and one whose user's token a file holds."""
    file = tmp_path / "subject-token"
    file.touch(mode=0o600)
    file.write_text(demo.mint("alice"))
    raw = demo.settings()
    raw["routes"] = [
        route | {"upstream": url} | (reports if route["name"] == "reports" else {}) for route in raw["routes"]
    ]
    raw["routes"].append(
        raw["routes"][0] | {"name": "file", "path": "/file", "subject_token_file": str(file)}
    )
    return raw


async def refused(proxy: Running, path: str, fields: dict[str, str]) -> bool:
    """Whether the answer is the refusal; else it must be the API's."""
    answer = (
        await proxy.client.post(path, headers=fields)
        if "Upgrade" not in fields
        else await proxy.get(path, **fields)
    )
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_refused")
    assert "www-authenticate" not in answer.headers
    return True


@pytest.mark.parametrize("path", ["/reports", "/file"])
async def test_a_page_of_another_site_gets_nothing(
    demo: Demo, upstream: RecordingUpstream, tmp_path: Path, path: str
):
    """H-62: no token is asked for, no request sent, whatever the method, also as a websocket or by a rebound name."""
    async with running(settle(demo, upstream.url, tmp_path)) as proxy:
        for fields in (
            PAGE,
            REBOUND,
            PAGE | UPGRADE,
            REBOUND | UPGRADE,
            {"Origin": "null"},
            {"Host": "evil.example"},
        ):
            assert await refused(proxy, path, fields), fields
            assert (await proxy.client.options(path, headers=fields)).status_code == 403
        assert upstream.heard == []
        assert demo.calls["token"] == 0
        for fields in (
            {},
            UPGRADE,
            {"Host": "localhost:1"},
            {"Sec-Fetch-Site": "same-origin"},
            {"Origin": proxy.url},
        ):
            assert not await refused(proxy, path, fields), fields


async def test_where_callers_bring_a_token_any_page_may_call(
    demo: Demo, upstream: RecordingUpstream, tmp_path: Path
):
    """H-62: no browser adds one by itself; and where nothing of ours is sent, there is nothing to misuse."""
    async with running(settle(demo, upstream.url, tmp_path)) as proxy:
        for fields in (PAGE, REBOUND):
            assert (await proxy.get("/orders", demo.mint("alice"), **fields)).status_code == 200
            assert (await proxy.get("/public", **fields)).status_code == 200


async def test_a_route_may_name_who_else_calls(demo: Demo, upstream: RecordingUpstream, tmp_path: Path):
    """``allowed_origins`` and ``host`` open it to just these, and ``cors_preflight`` to the question alone."""
    asking = {"Access-Control-Request-Method": "POST"}
    raw = settle(
        demo,
        upstream.url,
        tmp_path,
        allowed_origins=["https://App.example"],
        host="api.example",
        cors_preflight=True,
    )
    async with running(raw) as proxy:
        own = {"Host": "api.example"}
        assert not await refused(proxy, "/reports", own)
        assert not await refused(
            proxy, "/reports", own | {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
        )
        assert await refused(proxy, "/reports", own | PAGE)
        upstream.clear()
        assert (await proxy.client.options("/reports", headers=own | PAGE | asking)).status_code == 200
    assert upstream.requests[0].values(b"authorization") == []


async def test_beyond_loopback_any_name_may_be_ours(demo: Demo, upstream: RecordingUpstream, tmp_path: Path):
    """A container listens on every address and is called by names that only its network knows."""
    raw = settle(demo, upstream.url, tmp_path) | {"listen": {"host": "0.0.0.0"}}
    async with running(raw) as proxy:
        proxy.client.base_url = f"http://127.0.0.1:{proxy.server.address[1]}"
        assert not await refused(proxy, "/reports", {"Host": "orders.svc.cluster.local"})
        assert not await refused(proxy, "/reports", {"Host": "orders", "Origin": "http://orders"})
        assert await refused(proxy, "/reports", {"Host": "orders"} | PAGE)
