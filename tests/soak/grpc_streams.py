"""Bidirectional streams of gRPC: some whose caller takes nothing, some that talk, and single calls beside them."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc

from proxy.demo import Demo
from tests.interop.calls import SERVICE, UNLIMITED, Api, Caller
from tests.interop.calls import serving as serving_api
from tests.interop.test_grpc import build_settings
from tests.support.http2_client import Http2Client, speaking
from tests.support.served import serving, write

from .process import Usage

STALLED = 40  # streams of one connection that take nothing
TALKING = 10
PERIOD = 5.0  # s after which those that take nothing are cut, and begun anew
ALLOWED = 1.0  # s that a single call may take meanwhile
GROWTH = 16  # MiB, after a fifth of the time


async def stream(seconds: int) -> bool:
    """Whether memory stayed flat, no stream that talks broke, and every single call was answered in time."""
    with tempfile.TemporaryDirectory() as folder:
        async with serving_api() as (api, port), Demo() as demo:
            file = write(Path(folder) / "obo.yaml", build_settings(demo, port), http2=True)
            async with (
                serving(file) as served,
                grpc.aio.insecure_channel("{}:{}".format(*served.address), UNLIMITED) as channel,
            ):
                caller = Caller(channel, ("authorization", f"Bearer {demo.mint('alice')}"))
                return await _load(served, api, caller, seconds)


async def _load(served: Any, api: Api, caller: Caller, seconds: int) -> bool:
    end = time.monotonic() + seconds
    works = Works(caller, end)
    stalling = asyncio.create_task(works.stall(served.address))
    tasks = [asyncio.create_task(works.talk()) for _ in range(TALKING)]
    tasks += [stalling, asyncio.create_task(works.probe())]
    await asyncio.sleep(seconds / 5)
    usage = Usage(served.process.pid)
    most = 0
    while time.monotonic() < end:
        await asyncio.sleep(min(1.0, max(0.01, end - time.monotonic())))
        most = max(most, usage.growth)
    await asyncio.gather(*tasks)
    print(
        f"{works.rounds} times {STALLED} streams that took nothing; {works.messages} messages on {TALKING} others"
    )
    print(
        f"{works.calls} single calls, the slowest {works.slowest:.3f} s; {usage}; {most} MiB more at most",
        flush=True,
    )
    return most <= GROWTH and works.slowest < ALLOWED and works.rounds > 0


class Works:
    """What is done until ``end``, and how often."""

    def __init__(self, caller: Caller, end: float) -> None:
        self.rounds = self.messages = self.calls = 0
        self.slowest = 0.0
        self._caller = caller
        self._end = end

    async def talk(self) -> None:
        call = self._caller.both("Talk", timeout=None)
        while time.monotonic() < self._end:
            await call.write(b"x" * 1000)
            assert len(await call.read()) == 1006
            self.messages += 1
            await asyncio.sleep(0.01)
        await call.done_writing()
        assert await call.read() == grpc.aio.EOF

    async def probe(self) -> None:
        while time.monotonic() < self._end:
            began = time.monotonic()
            assert await self._caller.one("Echo", b"probe") == b"probe"
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.calls += 1
            await asyncio.sleep(0.05)

    async def stall(self, address: tuple[str, int]) -> None:
        fields = [(b"content-type", b"application/grpc"), (b"te", b"trailers")]
        fields += [(name.encode(), value.encode()) for name, value in self._caller.metadata]
        while time.monotonic() < self._end:
            async with speaking(address, credit=False) as client:
                for _ in range(STALLED):
                    await client.request(f"/{SERVICE}/Flood", *fields, method="POST", ended=False)
                await _read_for(client, min(PERIOD, self._end - time.monotonic()))
            self.rounds += 1


async def _read_for(client: Http2Client, seconds: float) -> None:
    """What has come without credit."""
    try:
        async with asyncio.timeout(max(0.1, seconds)):
            while await client.step():
                pass
    except TimeoutError:
        pass
