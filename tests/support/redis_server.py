"""A Redis of the test's own, on loopback, with nothing on disk; it ends with the test."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from valkey.asyncio import Valkey

BINARY = shutil.which("redis-server") or shutil.which("valkey-server")


def require_binary() -> str:
    """Skip where there is none; continuous integration must have one."""
    if BINARY is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is missing")
        pytest.skip("redis-server is missing")
    return BINARY


def find_free_port() -> int:
    """Below those that the system gives out by itself, so that nobody is given it meanwhile."""
    while True:
        port = secrets.choice(range(10_000, 32_000))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class RedisServer:
    """One process; ``restart`` brings it back empty on the same port."""

    def __init__(self, directory: Path, *options: str, sentinel_file: Path | None = None) -> None:
        self.directory = directory
        self.port = find_free_port()
        self.url = f"valkey://127.0.0.1:{self.port}/0"
        self._arguments = [str(sentinel_file), "--sentinel"] if sentinel_file else self._plain(options)
        self._process: asyncio.subprocess.Process

    def _plain(self, options: tuple[str, ...]) -> list[str]:
        return [
            *(f"--port {self.port} --bind 127.0.0.1 --appendonly no --daemonize no".split()),
            *("--save", "", "--dir", str(self.directory), "--dbfilename", "dump.rdb"),
            *options,
        ]

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            require_binary(),
            *self._arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async for line in self._process.stdout:
            if b"eady to accept connections" in line or b"+monitor master" in line:
                return
        pytest.fail("redis-server has not started")

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        await self._process.communicate()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def configure(self, *command: str) -> None:
        """Have it run one command, as its operator would."""
        async with Valkey.from_url(self.url) as operator:
            await operator.execute_command(*command)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def run_redis(
    directory: Path, *options: str, sentinel_file: Path | None = None
) -> AsyncIterator[RedisServer]:
    server = RedisServer(directory, *options, sentinel_file=sentinel_file)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def write_shared(directory: Path, server: RedisServer) -> dict[str, str]:
    """``cache.shared`` for ``server``, with a key of its own."""
    key_file = directory / "encryption.key"
    if not key_file.exists():
        key_file.write_bytes(b64encode(os.urandom(32)))
    return {"url": server.url, "encryption_key_file": str(key_file)}
