"""The admin side as a whole: what is there, and that nothing is there without its guard."""

from __future__ import annotations

import pytest

from proxy.admin.front import Front
from proxy.admin.site import build_site
from proxy.demo import Demo
from tests.support.proxy import Running, running

READ = ["/", "/static/style.css", "/api/status", "/api/config", "/metrics"]
CHANGE = ["/api/inspect", "/api/purge", "/inspect", "/purge"]
OPEN = ["/healthz", "/readyz"]
SIGNED = ["/api/backchannel-logout"]


async def test_each_path_is_one_that_is_known_here(proxy: Running):
    """O-02: a new path is put into these tables, and so under a guard, on purpose."""
    paths = {"/static" if path.startswith("/static/") else path for path in (*READ, *CHANGE, *OPEN, *SIGNED)}
    site = {route.path for route in build_site(proxy.app).routes}
    assert site | Front(proxy.app).answers.keys() == paths


@pytest.mark.parametrize("path", [*READ, *CHANGE])
async def test_with_a_token_file_each_needs_its_token(demo: Demo, tmp_path, path: str):
    """O-02: whether it reads or changes; 401 before anything else is looked at."""
    secret = tmp_path / "token"
    secret.write_text("swordfish")
    async with running(demo.settings(admin={"token_file": str(secret)})) as proxy:
        answer = await proxy.admin.request("POST" if path in CHANGE else "GET", path)
        assert answer.status_code == 401
        assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("path", [*CHANGE, *SIGNED])
async def test_what_changes_something_is_not_done_by_reading(proxy: Running, path: str):
    """C-25: a link or an image of another page does nothing."""
    assert (await proxy.admin.get(path)).status_code == 405


@pytest.mark.parametrize("path", CHANGE)
async def test_what_changes_something_is_not_done_for_another_site(proxy: Running, path: str):
    """C-25: whatever it sends."""
    answer = await proxy.admin.post(path, json={}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "path", ["/nowhere", "/api", "/static/nothing.js", "/static/%2e%2e/pages.py", "/orders"]
)
async def test_nothing_else_is_there(proxy: Running, path: str):
    """O-02: no route of the public side is reached from here."""
    assert (await proxy.admin.get(path)).status_code == 404
