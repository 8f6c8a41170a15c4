"""The sample API of the compose profile, behind the proxy with the configuration that goes with it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import yaml

from proxy.authorizer.protobuf import read_bytes, read_one, write_bytes
from proxy.demo import Demo
from tests.support.proxy import running
from tests.support.redis_server import find_free_port

from .envoy_between import listens

FOLDER = Path(__file__).parents[2] / "config" / "compose"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[str]:
    """The sample's address; it is built as its Dockerfile builds it."""
    for name in ("orders.proto", "server.py"):
        shutil.copy(FOLDER / "grpc" / name, tmp_path)
    build = [
        "-m",
        "grpc_tools.protoc",
        "--proto_path=.",
        "--python_out=.",
        "--grpc_python_out=.",
        "orders.proto",
    ]
    assert all(word in (FOLDER / "grpc" / "Dockerfile").read_text() for word in build)
    builder = await asyncio.create_subprocess_exec(sys.executable, *build, cwd=tmp_path)
    assert await builder.wait() == 0
    port = find_free_port()
    address = f"127.0.0.1:{port}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "server.py", address, cwd=tmp_path, env=os.environ
    )
    try:
        async with asyncio.timeout(20):
            while not await listens(port):
                assert process.returncode is None
                await asyncio.sleep(0.02)
        yield address
    finally:
        process.terminate()
        assert await process.wait() == 0


async def test_it_tells_on_whose_behalf_it_is_called(demo: Demo, api: str):
    raw = yaml.safe_load(
        (FOLDER / "grpc.yaml").read_text().replace("http://127.0.0.1:50051", f"http://{api}")
    )
    raw["authorization_servers"] = {"default": demo.settings()["authorization_servers"]["default"]}
    async with (
        running(raw) as proxy,
        grpc.aio.insecure_channel(proxy.url.removeprefix("http://")) as channel,
    ):
        get = channel.unary_unary("/orders.v1.Orders/Get")
        metadata = (("authorization", f"Bearer {demo.mint('alice')}"),)
        order = await get(write_bytes(1, b"7"), metadata=metadata, timeout=20, wait_for_ready=True)
        watch = channel.unary_stream("/orders.v1.Orders/Watch")(
            write_bytes(1, b"7"), metadata=metadata, timeout=20
        )
        assert read_one(await watch.read(), 2) == b"alice"
        watch.cancel()
    assert [read_one(order, number) for number in (1, 2, 3)] == [b"7", b"alice", b"api://default"]
    assert list(read_bytes(order, 4)) == [b"api:access:read"]
