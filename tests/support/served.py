"""``obo-proxy serve`` as processes of their own, and their log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from .proxy import PLAIN

RUN = (sys.executable, "-c", "import sys; from proxy.cli import main; sys.exit(main())", "serve", "--config")


class Served:
    """A running proxy; ``lines`` are its log so far, ``admin`` calls its admin port."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.words: list[str] = []  # what it said outside of its log
        self.address = ("", 0)
        self.admin: httpx.AsyncClient
        self._more = asyncio.Event()
        self._ended = False
        self._reading = asyncio.create_task(self._read())

    async def find(self, *events: str, since: int = 0, times: int = 1, **fields: Any) -> list[dict[str, Any]]:
        """The log lines of any of these events with those fields, once there are so many."""

        def matches(line: dict[str, Any]) -> bool:
            return line["event"] in events and all(line.get(name) == value for name, value in fields.items())

        while len(found := list(filter(matches, self.lines[since:]))) < times:
            assert not self._ended, f"ended without {events}: {self.words} {self.lines[-5:]}"
            self._more.clear()
            await self._more.wait()
        return found

    async def count(self, sample: str, **labels: str) -> float:
        """The sum of that metric's series with those labels."""
        answer = (await self.admin.get("/metrics")).raise_for_status()
        return sum(
            found.value
            for family in text_string_to_metric_families(answer.text)
            for found in family.samples
            if found.name == sample and labels.items() <= found.labels.items()
        )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def wait(self) -> int:
        """Its exit status, once all it said is here."""
        await self._reading
        return await self.process.wait()

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            if line.startswith(b"{"):
                self.lines.append(json.loads(line))
            else:
                self.words.append(line.decode().rstrip())
            self._more.set()
        self._ended = True
        self._more.set()


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[Served]:
    """The proxy under the configuration in ``path``, from its line ``serving`` on; killed if it has not ended."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OBO_")}
    process = await asyncio.create_subprocess_exec(
        *RUN, str(path), stderr=asyncio.subprocess.PIPE, env=environ
    )
    served = Served(process)
    try:
        (line,) = await served.find("serving")
        host, port = line["address"].rsplit(":", 1)
        served.address = (host, int(port))
        async with httpx.AsyncClient(
            base_url=f"http://{line['admin'].replace('0.0.0.0', '127.0.0.1')}",
            trust_env=False,
            verify=PLAIN,
            timeout=20,
        ) as admin:
            served.admin = admin
            yield served
    finally:
        if process.returncode is None:
            process.kill()
        await served.wait()


@asynccontextmanager
async def serving_all(path: Path, number: int) -> AsyncIterator[list[Served]]:
    """So many replicas of it, which start at the same time."""
    async with AsyncExitStack() as stack:
        async with asyncio.TaskGroup() as group:
            starting = (stack.enter_async_context(serving(path)) for _ in range(number))
            started = [group.create_task(one) for one in starting]
        yield [one.result() for one in started]


def write(path: Path, raw: Mapping[str, Any], **listen: Any) -> Path:
    """``raw`` as a configuration file on free ports."""
    listen = {"port": 0, "drain_timeout": "10s", **listen}
    path.write_text(yaml.safe_dump({**raw, "listen": listen, "admin": {"port": 0} | raw.get("admin", {})}))
    return path
