"""Each gateway before an API that records what reaches it, with one authorizer beside them all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from proxy.demo import Demo
from tests.support.proxy import Running
from tests.support.proxy import running as running_proxy
from tests.support.raw_client import connected
from tests.support.recording_upstream import RecordingUpstream
from tests.support.redis_server import find_free_port

from .programs import PROGRAMS, Ports, Program, running

EXTERNAL = "https://api.example"


def build_settings(demo: Demo, api_url: str, *, http2: bool) -> dict[str, Any]:
    """Routes with tokens of their own; one is for another host, and one forbidden."""
    raw = demo.settings(authorizer={"host": "127.0.0.1"}, listen={"external_url": EXTERNAL, "http2": http2})
    raw["subject_tokens"] = [one | {"dpop": "accept", "dpop_nonce": True} for one in raw["subject_tokens"]]
    by_name = {route["name"]: route | {"upstream": api_url} for route in raw["routes"]}
    inner = by_name["profile"] | {"name": "inner", "path": "/orders/profile"}
    named = by_name["profile"] | {"name": "named", "path": "/orders/named", "host": "api.example"}
    raw["routes"] = [by_name["orders"], by_name["profile"], by_name["payroll"], inner, named]
    return raw


@dataclass
class Stage:
    """``program`` listens at ``port``, and calls ``api``."""

    program: Program
    demo: Demo
    proxy: Running
    api: RecordingUpstream
    port: int

    async def send(self, request: bytes) -> bytes:
        """Everything that comes back until the end of the connection."""
        async with connected(("127.0.0.1", self.port)) as client:
            await client.send(request)
            try:
                return await client.rest()
            except ConnectionResetError:
                return b""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=PROGRAMS, ids=str)
async def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    program: Program = request.param
    async with (
        Demo() as demo,
        RecordingUpstream() as api,
        running_proxy(build_settings(demo, api.url, http2=program.name == "envoy-grpc")) as proxy,
    ):
        address: Any = proxy.server.authorizer_address
        ports = Ports(find_free_port(), address[1], api.port)
        async with running(program, tmp_path_factory.mktemp(program.name), ports):
            yield Stage(program, demo, proxy, api, ports.gateway)
