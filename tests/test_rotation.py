"""Credentials change under load, as mounted volumes change: nobody notices but the authorization server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from proxy.demo import Demo
from proxy.demo.org import TLS_NAME
from proxy.demo.workloads import SERVICE_ACCOUNT, SPIFFE_ID

from .support.demo import decode
from .support.kubelet import Volume
from .support.proxy import Running, running

RATE = 100  # requests a second: each user is exchanged for anew every second, whatever the rate
SECONDS = 3
CALLERS = 16
USERS = 20
SWAP_EVERY = 0.1  # s
LIFE = 2  # s of an assertion: one that was kept from the beginning would have ended before the end
CACHE = {"max_ttl": "1s", "expiry_leeway": 0, "refresh_ahead": 0}


class Rotation:
    """The files of one way to authenticate, as something rewrites them all the time."""

    def __init__(self, demo: Demo, way: str, folder: Path) -> None:
        self._write: Callable[[], dict[str, bytes | str]] = {
            "assertion_file": lambda: {"assertion_file": demo.tenant.workloads.vouch(
                SERVICE_ACCOUNT, demo.org_url, expires_in=LIFE, jti=str(self.swaps)
            )},
            "jwt-spiffe": lambda: {"assertion_file": demo.tenant.workloads.vouch(
                SPIFFE_ID, demo.org_url, expires_in=LIFE, jti=str(self.swaps)
            )},
            "tls_client_auth": lambda: _read_pair(demo),
        }[way]  # fmt: skip
        self.swaps = 0
        self.volume = Volume(folder, self._write())
        self.raw = demo.settings(way=way, cache=CACHE)
        for server in self.raw["authorization_servers"].values():
            server["client"] |= {key: str(self.volume / key) for key in self._write()}

    async def go_on(self) -> None:
        while True:
            await asyncio.sleep(SWAP_EVERY)
            self.swaps += 1
            self.volume.update(self._write())


def _read_pair(demo: Demo) -> dict[str, bytes | str]:
    pair = demo.authority.issue(TLS_NAME)
    return {"cert_file": pair.cert_file.read_bytes(), "key_file": pair.key_file.read_bytes()}


async def load(proxy: Running, tokens: list[str]) -> list[int]:
    """The statuses of ``RATE`` requests a second, or of as many as the machine can bear in that time."""
    loop = asyncio.get_running_loop()
    began, numbers = loop.time(), iter(range(RATE * SECONDS))

    async def call() -> list[int]:
        statuses = []
        for number in numbers:
            await asyncio.sleep(began + number / RATE - loop.time())
            if loop.time() > began + SECONDS:
                break
            statuses.append((await proxy.get("/orders/1", tokens[number % len(tokens)])).status_code)
        return statuses

    return [
        status for statuses in await asyncio.gather(*(call() for _ in range(CALLERS))) for status in statuses
    ]


@pytest.mark.parametrize("way", ["assertion_file", "jwt-spiffe", "tls_client_auth"])
async def test_no_request_fails(demo: Demo, tmp_path: Path, way: str) -> None:
    """X-11: the kubelet's swap, ten times a second, at 100 requests/s with a cache of one second."""
    rotation = Rotation(demo, way, tmp_path / "volume")
    tokens = [demo.mint(f"user-{number}") for number in range(USERS)]
    async with running(rotation.raw) as proxy:
        rotating = asyncio.create_task(rotation.go_on())
        try:
            statuses = await load(proxy, tokens)
        finally:
            rotating.cancel()
        assert not [failure.reason for failure in proxy.app.failures]
    assert set(statuses) == {200}
    assert demo.calls["token_exchange"] > USERS
    used = [
        request.form["client_assertion"] for request in demo.requests if "client_assertion" in request.form
    ]
    numbers = [int(decode(assertion)["jti"]) for assertion in used]
    assert all(number >= before - 1 for before, number in pairwise(numbers))  # two may overtake each other
    assert len(set(numbers)) > 5 or way == "tls_client_auth"


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[Any]:
    return [record for record in caplog.records if record.msg == event]


async def test_an_assertion_that_nobody_renews(demo: Demo, tmp_path: Path, caplog: Any) -> None:
    """Contract 8: exchange_misconfigured, whose lines name the file and its exp; what is renewed counts at once."""
    caplog.set_level(logging.INFO)
    ended = demo.tenant.workloads.vouch(SERVICE_ACCOUNT, demo.org_url, expires_in=-1)
    volume = Volume(tmp_path / "volume", {"as": ended})
    raw = demo.settings(way="assertion_file")
    for server in raw["authorization_servers"].values():
        server["client"]["assertion_file"] = str(volume / "as")
    async with running(raw) as proxy:
        answer = await proxy.get("/orders/1", demo.mint("alice"))
        assert (answer.status_code, answer.json()["code"]) == (502, "exchange_misconfigured")
        assert str(volume / "as") not in answer.text
        for event in ("exchange", "request refused"):
            [line] = lines(caplog, event)
            assert f"the assertion in {volume / 'as'} ended at " in line.reason
            assert f"(exp {decode(ended)['exp']})" in line.reason
            assert line.remedy.startswith("See that what writes client.assertion_file")
        status = (await proxy.admin.get("/api/status")).json()
        assert f"orders: our assertion has ended: {volume / 'as'}" in status["reasons"]
        metrics = (await proxy.admin.get("/metrics")).text
        [left] = [
            line
            for line in metrics.splitlines()
            if line.startswith("obo_client_assertion") and "orders" in line
        ]
        assert float(left.split()[-1]) < 0
        assert "ended" in (await proxy.admin.get("/")).text
        assert demo.calls["token"] == 0
        volume.update({"as": demo.tenant.workloads.vouch(SERVICE_ACCOUNT, demo.org_url)})
        assert (await proxy.get("/orders/1", demo.mint("alice"))).status_code == 200
