"""Clients that none of us wrote call a gRPC API through the proxy: Node's, Go's, curl, and h2load."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from proxy.demo import Demo
from tests.support.proxy import running

from .calls import SERVICE, Api, serving
from .packages import build_go
from .test_grpc import build_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")
HERE = Path(__file__).parent / "http2_clients"
MESSAGES = [f"heard {number}" for number in range(10)]
WITHIN = 2.0  # s that a cancellation may take to the API: one, and what a busy machine takes


@dataclass
class Stage:
    api: Api
    url: str
    authorization: str

    @property
    def task(self) -> str:
        """What the clients are to do, as both of them read it."""
        told = {"path": f"/{SERVICE}/Talk", "waiting": f"/{SERVICE}/Wait", "url": self.url}
        return json.dumps({**told, "authorization": self.authorization})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with serving() as (api, port), Demo() as demo, running(build_settings(demo, port)) as proxy:
        yield Stage(api, proxy.url, f"Bearer {demo.mint('alice')}")


def find(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        assert os.environ.get("CI") != "true", f"{program} is not installed"
        pytest.skip(f"{program} is not installed")
    return path


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ
    )
    output, errors = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_node(stage: Stage):
    """Both ways at once, trailers, and a cancellation that the API hears of."""
    stage.api.cancelled.clear()
    told = json.loads(await run(find("node"), str(HERE / "client.mjs"), stage.task))
    assert (told["status"], told["messages"]) == (200, MESSAGES)
    assert (told["trailers"]["grpc-status"], told["trailers"]["x-behind"]) == ("0", "1")
    await asyncio.wait_for(stage.api.cancelled.wait(), WITHIN)


@pytest.mark.timeout(300)  # where Go has compiled nothing yet
async def test_go(stage: Stage):
    """Likewise."""
    stage.api.cancelled.clear()
    told = json.loads(await run(str(build_go(HERE / "go")), stage.task))
    assert (told["proto"], told["status"], told["messages"]) == ("HTTP/2.0", 200, MESSAGES)
    assert (told["trailers"]["Grpc-Status"], told["trailers"]["X-Behind"]) == (["0"], ["1"])
    assert told["cancelled"]
    await asyncio.wait_for(stage.api.cancelled.wait(), WITHIN)


async def test_curl(stage: Stage, tmp_path: Path):
    """One message up and down, and the trailers behind it."""
    message = tmp_path / "message"
    message.write_bytes(b"\0\0\0\0\5hello")
    told = await run(*_build_curl(stage, message), f"{stage.url}/{SERVICE}/Echo")
    assert told.startswith("HTTP/2 200")
    assert "hello" in told
    assert "grpc-status: 0" in told.rpartition("hello")[2]


def _build_curl(stage: Stage, message: Path) -> list[str]:
    options = [
        "--silent",
        "--http2-prior-knowledge",
        "--max-time",
        "20",
        "--dump-header",
        "-",
        "--output",
        "-",
    ]
    fields = [f"authorization: {stage.authorization}", "content-type: application/grpc", "te: trailers"]
    headers: list[Any] = [part for each in fields for part in ("--header", each)]
    return [find("curl"), *options, *headers, "--data-binary", f"@{message}"]


async def test_h2load(stage: Stage, tmp_path: Path):
    """Hundreds of calls, many at once over few connections, of which none fails."""
    message = tmp_path / "message"
    message.write_bytes(b"\0\0\0\0\5hello")
    fields = [f"authorization: {stage.authorization}", "content-type: application/grpc", "te: trailers"]
    headers = [part for each in fields for part in ("--header", each)]
    numbers = ["--requests", "600", "--clients", "4", "--max-concurrent-streams", "20"]
    told = await run(
        find("h2load"), *numbers, *headers, "--data", str(message), f"{stage.url}/{SERVICE}/Echo"
    )
    counts = re.search(r"requests: (.*)", told)
    assert counts, told
    assert "600 succeeded, 0 failed, 0 errored, 0 timeout" in counts[1]
    assert "status codes: 600 2xx" in told
