"""Websockets through each gateway: asked about at the handshake, on their own user's behalf."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from proxy.demo import Demo
from tests.support.proxy import running as running_proxy
from tests.support.redis_server import find_free_port

from .programs import PROGRAMS, Ports, running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Sockets:
    demo: Demo
    url: str

    def open(self, token: str | None) -> Any:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return connect(f"{self.url}/orders/echo", additional_headers=headers, proxy=None)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=PROGRAMS, ids=str)
async def sockets(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sockets]:
    listen = {"http2": request.param.name == "envoy-grpc"}
    async with (
        Demo() as demo,
        running_proxy(demo.settings(authorizer={"host": "127.0.0.1"}, listen=listen)) as proxy,
    ):
        address: Any = proxy.server.authorizer_address
        ports = Ports(find_free_port(), address[1], urlsplit(demo.api_url).port or 0)
        async with running(request.param, tmp_path_factory.mktemp("gateway"), ports):
            yield Sockets(demo, f"ws://127.0.0.1:{ports.gateway}")


async def test_a_websocket_is_its_users(sockets: Sockets):
    """The API has accepted the exchanged token, and what is said goes both ways."""
    async with sockets.open(sockets.demo.mint("alice")) as socket:
        await socket.send("whoami")
        claims = json.loads(await socket.recv())
    assert (claims["sub"], claims["aud"]) == ("alice", "api://orders")


async def test_without_a_good_token_there_is_none(sockets: Sockets):
    """The handshake is refused."""
    for token in (None, "no.token.atall"):
        with pytest.raises(InvalidStatus) as refused:
            async with sockets.open(token):
                pass
        assert refused.value.response.status_code == 401
