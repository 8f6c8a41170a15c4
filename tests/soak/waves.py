"""Waves of callers without a token who begin large heads and go, and of others who only come and go."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path

from proxy.demo import Demo
from tests.support.raw_client import connected
from tests.support.served import serving, write

from .process import Usage

WAVES = 20
HEADS = 300  # connections of a wave that begin a head
SHORT = 500  # of the same wave, meanwhile, by which a generational collector thinks that the heads are old
BEGUN = b"GET /orders HTTP/1.1\r\nHost: proxy\r\n" + (b"X: " + b"x" * 15_000 + b"\r\n") * 4
AT_ONCE = 50
GROWTH = 40  # MiB: of a wave's heads, 18, twice over

Address = tuple[str, int]


async def wave(_: int) -> bool:
    """Whether memory stays what one wave takes, however many there were."""
    with tempfile.TemporaryDirectory() as folder:
        async with Demo() as demo, serving(write(Path(folder) / "obo.yaml", demo.settings())) as served:
            await come_and_go(served.address, SHORT)
            usage = Usage(served.process.pid)
            print(f"before: {usage}", flush=True)
            for number in range(1, WAVES + 1):
                await surge(served.address)
                if number % 4 == 0:
                    print(f"after {number} waves: {usage.resident} MiB", flush=True)
            return usage.growth <= GROWTH


async def surge(address: Address) -> None:
    """One wave: as many unfinished heads at once as are in it, and short connections while they are there."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(HEADS):
            client = await stack.enter_async_context(connected(address))
            await client.send(BEGUN)
        await come_and_go(address, SHORT)


async def come_and_go(address: Address, number: int) -> None:
    """Short connections, some at once."""
    for _ in range(number // AT_ONCE):
        await asyncio.gather(*(call(address) for _ in range(AT_ONCE)))


async def call(address: Address) -> None:
    async with connected(address) as client:
        await client.send(b"GET /orders HTTP/1.1\r\nHost: proxy\r\n\r\n")
        await client.response()
