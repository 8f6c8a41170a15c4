"""A real Prometheus on loopback, and its ``promtool``: Debian's package ``prometheus``."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.proxy import PLAIN

CONFIG = Path(__file__).parents[2] / "config" / "prometheus"

requires_prometheus = pytest.mark.skipif(
    not os.environ.get("CI") and not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="Debian's package prometheus is not installed",
)


class Prometheus:
    """One that serves; ``client`` calls its HTTP API."""

    def __init__(self, port: int, client: httpx.AsyncClient) -> None:
        self.port = port
        self._client = client

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query; an error of Prometheus' fails."""
        answer = (await self._client.get("/api/v1/query", params={"query": expression})).json()
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    async def read(self, path: str) -> dict[str, Any]:
        return (await self._client.get(path)).json()["data"]

    async def until(self, expression: str) -> list[dict[str, Any]]:
        """The samples of ``expression`` once there are any."""
        async with asyncio.timeout(25):
            while not (found := await self.query(expression)):
                await asyncio.sleep(0.05)
        return found


@asynccontextmanager
async def prometheus(folder: Path, url: str, *, scale: int = 1) -> AsyncIterator[Prometheus]:
    """Scrapes ``url`` ten times a second under our own configuration; ready when this yields.

    The rules' times are divided by ``scale``, for an alert that is to fire while a test waits.
    """
    raw = yaml.safe_load((CONFIG / "prometheus.yml").read_text())
    raw["global"] = {"scrape_interval": "100ms", "evaluation_interval": "100ms", "scrape_timeout": "100ms"}
    raw["scrape_configs"][0]["static_configs"] = [{"targets": [url.removeprefix("http://")]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(raw))
    (folder / "alerts.yml").write_text(yaml.safe_dump(hurry(CONFIG / "alerts.yml", scale)))
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    reading = None
    try:
        port = await _read_port(process)
        reading = asyncio.create_task(process.stderr.read())  # so that it never waits for us
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=PLAIN
        ) as client:
            async with asyncio.timeout(20):
                while (await client.get("/-/ready")).status_code != 200:
                    await asyncio.sleep(0.05)
            yield Prometheus(port, client)
    finally:
        process.terminate()
        await process.wait()
        if reading is not None:
            await reading


async def _read_port(process: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(20):
        async for line in process.stderr:
            words = dict(word.split(b"=", 1) for word in line.split() if b"=" in word)
            if b"Listening" in line and b"address" in words:
                return int(words[b"address"].rpartition(b":")[2])
    raise AssertionError("Prometheus ended before it listened")


def hurry(rules: Path, scale: int) -> Mapping[str, Any]:
    document = yaml.safe_load(rules.read_text())
    for rule in document["groups"][0]["rules"]:
        if scale > 1:
            rule["for"] = "200ms"
            for minutes in (5, 15):
                rule["expr"] = rule["expr"].replace(f"[{minutes}m]", f"[{minutes * 60 // scale}s]")
    return document
