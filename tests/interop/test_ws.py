"""npm's ws at both ends: a websocket client and server that none of us wrote."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.demo import Demo
from tests.support.demo import decode
from tests.support.proxy import running

from .packages import WITHOUT_NODE, install, node

HERE = Path(__file__).parent / "ws"

pytestmark = pytest.mark.skipif(WITHOUT_NODE, reason="node and npm are not here")


@pytest.fixture(scope="module")
def packages() -> Path:
    return install(HERE)


class Upstream:
    """The server's address, and what it prints from then on."""

    def __init__(self, url: str, lines) -> None:
        self.url = url
        self._lines = lines

    async def closed(self) -> dict[str, object]:
        """Code and reason of the next connection that has ended."""
        return json.loads(await self._lines.readline())


@pytest.fixture
async def upstream(packages: Path, tmp_path: Path) -> AsyncIterator[Upstream]:
    async with node(HERE / "server.mjs", packages, tmp_path) as process:
        assert process.stdout
        yield Upstream((await process.stdout.readline()).decode().strip(), process.stdout)


@pytest.mark.parametrize("way", ["header", "subprotocol"])
async def test_a_conversation(demo: Demo, packages: Path, upstream: Upstream, tmp_path: Path, way: str):
    """H-60, H-61, H-63: the exchanged token, text, binary, fragments, pings and every kind of end."""
    raw = demo.settings()
    raw["routes"] = [raw["routes"][0] | {"upstream": upstream.url}]
    token = demo.mint("alice")
    encoded = urlsafe_b64encode(token.encode()).rstrip(b"=").decode()
    subprotocol = f"base64url.bearer.authorization.obo.{encoded}" if way == "subprotocol" else ""
    async with running(raw) as proxy:
        task = {
            "url": proxy.url.replace("http", "ws") + "/orders/7?a=1",
            "token": token,
            "subprotocol": subprotocol,
        }
        async with node(HERE / "client.mjs", packages, tmp_path, OBO_INTEROP=json.dumps(task)) as client:
            assert client.stdout
            said = json.loads(await client.stdout.readline())
        ends = [await upstream.closed() for _ in range(3)]
    assert said.pop("refused") == {"status": 401, "type": "application/problem+json"}
    for talk in said.values():
        assert (talk["subprotocol"], talk["extensions"]) == ("chat", "")
        assert talk["handshake"]["path"] == "/orders/7?a=1"
        headers = talk["handshake"]["headers"]
        claims = decode(headers["authorization"].removeprefix("Bearer "))
        assert (claims["sub"], claims["aud"]) == ("alice", "api://orders")
        assert token not in str(headers)
        assert headers["sec-websocket-protocol"] == "chat"
        assert talk["echoes"] == [True] * 4
        assert (talk["fragments"], talk["pong"], talk["ponged"]) == ("in two", "mine", "pong beat")
    assert (said["close"]["code"], said["close"]["reason"]) == (4001, "as told")
    assert said["break"]["code"] == 1011
    assert (said["leave"]["code"], said["leave"]["reason"]) == (4002, "own wish")
    assert ends[0] == {"code": 4001, "reason": "as told"}
    assert ends[2] == {"code": 4002, "reason": "own wish"}
    assert demo.calls["token_exchange"] == 1
