"""npm's jose as the org: signs events and credentials that none of our code has made."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from proxy.demo import Demo
from proxy.demo.signals import AUDIENCE, CAEP, PATH, REVOCATION_PATH, REVOCATION_URL, build_entry
from tests.support.proxy import Running, running

from .packages import WITHOUT_NODE, install, node

HERE = Path(__file__).parent / "jose"
ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA")

pytestmark = [
    pytest.mark.skipif(WITHOUT_NODE, reason="node and npm are not here"),
    pytest.mark.asyncio(loop_scope="module"),
]


class Org:
    """Its address, which is its issuer, and what it signs."""

    def __init__(self, url: str, process: asyncio.subprocess.Process) -> None:
        self.url = url
        self._process = process
        self._number = 0

    async def sign(self, alg: str, typ: str, **claims: Any) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._number += 1
        claims = {"iss": self.url, "iat": int(time.time()), "jti": f"jose-{self._number}"} | claims
        asked = json.dumps({"alg": alg, "header": {"typ": typ}, "claims": claims})
        self._process.stdin.write(asked.encode() + b"\n")
        return (await self._process.stdout.readline()).decode().strip()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def org(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Org]:
    async with node(HERE / "sign.mjs", install(HERE), tmp_path_factory.mktemp("org")) as process:
        assert process.stdout
        yield Org((await process.stdout.readline()).decode().strip(), process)


@pytest_asyncio.fixture(loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    async with Demo() as running_demo:
        yield running_demo


@pytest_asyncio.fixture(loop_scope="module")
async def proxy(demo: Demo, org: Org) -> AsyncIterator[Running]:
    entry = build_entry(demo.tenant) | {"issuer": org.url, "jwks_url": f"{org.url}/keys"}
    async with running(demo.settings(signals=[entry])) as running_proxy:
        yield running_proxy


async def push(proxy: Running, token: str) -> int:
    headers = {"Content-Type": "application/secevent+jwt"}
    return (await proxy.client.post(PATH, content=token, headers=headers)).status_code


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_its_events(demo: Demo, org: Org, proxy: Running, alg: str):
    """Whatever its keys are."""
    alice = demo.mint("alice")
    assert (await proxy.get("/orders/1", alice)).status_code == 200
    subject = {"format": "iss_sub", "iss": org.url, "sub": demo.tenant.user("alice").uid}
    content = {"subject": subject, "event_timestamp": int(time.time())}
    events = {f"{CAEP}session-revoked": content}
    assert await push(proxy, await org.sign(alg, "secevent+jwt", aud=[AUDIENCE], events=events)) == 202
    assert (await proxy.get("/orders/1", alice)).status_code == 401


async def test_its_universal_logout(demo: Demo, org: Org, proxy: Running):
    """A credential of its own making."""
    alice = demo.mint("alice")
    claims = {"aud": REVOCATION_URL, "exp": int(time.time()) + 300, "sub": "0oa1"}
    token = await org.sign("RS256", "global-token-revocation+jwt", **claims)
    body = {"sub_id": {"format": "email", "email": "alice"}}
    answer = await proxy.client.post(REVOCATION_PATH, json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 204
    assert (await proxy.get("/orders/1", alice)).status_code == 401


async def test_what_it_does_not_sign(demo: Demo, org: Org, proxy: Running):
    """An unsecured token, one of another type, and one that was changed on its way."""
    subject = {"format": "iss_sub", "iss": org.url, "sub": demo.tenant.user("alice").uid}
    claims = {"aud": AUDIENCE, "events": {f"{CAEP}session-revoked": {"subject": subject}}}
    good = await org.sign("RS256", "secevent+jwt", **claims)
    other = await org.sign("RS256", "secevent+jwt", **claims)
    header, payload, _ = good.split(".")
    tokens = [
        await org.sign("none", "secevent+jwt", **claims),
        await org.sign("RS256", "JWT", **claims),
        f"{header}.{payload}.{other.split('.')[2]}",
    ]
    assert [await push(proxy, token) for token in tokens] == [400] * 3
    assert (await proxy.get("/orders/1", demo.mint("alice"))).status_code == 200
