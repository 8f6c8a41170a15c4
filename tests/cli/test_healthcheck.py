"""``healthcheck``, against the admin side of a proxy and against what is none."""

from __future__ import annotations

import asyncio

import pytest

from proxy.cli import main

from ..support.proxy import running


@pytest.fixture
async def admin(demo, monkeypatch: pytest.MonkeyPatch):
    """A running proxy whose admin side the environment names."""
    async with running(demo.settings()) as proxy:
        monkeypatch.setenv("OBO_ADMIN_HOST", "0.0.0.0")
        monkeypatch.setenv("OBO_ADMIN_PORT", str(proxy.server.admin_address[1]))
        while (await proxy.admin.get("/readyz")).status_code != 200:
            pass  # the issuers' keys are on their way
        yield proxy


@pytest.mark.parametrize("arguments", [[], ["--ready"]], ids=["alive", "ready"])
async def test_all_is_well(admin, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Where the proxy listens on every address it is asked on loopback; nothing is said and the exit is 0."""
    assert await asyncio.to_thread(main, ["healthcheck", *arguments]) == 0
    assert capsys.readouterr() == ("", "")


async def test_draining_is_alive_but_not_ready(admin, capsys: pytest.CaptureFixture[str]) -> None:
    """F-34: who drains is not to be ended for it, and not to be sent more."""
    admin.app.draining = True
    assert await asyncio.to_thread(main, ["healthcheck"]) == 0
    assert await asyncio.to_thread(main, ["healthcheck", "--ready"]) == 1
    assert "503" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["1", "none"])
def test_nobody_there(port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit is 1, and it is said where was asked."""
    monkeypatch.setenv("OBO_ADMIN_PORT", port)
    assert main(["healthcheck"]) == 1
    assert f"no admin side at 127.0.0.1, port {port}" in capsys.readouterr().err
