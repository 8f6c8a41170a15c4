"""A user whose request bodies trickle, more of them than the pool has places, and another who must be served."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path

from proxy.demo import Demo
from tests.support.raw_client import connected
from tests.support.served import serving, write

from .slow import Probe

PLACES = 4
ALLOWED = 1.0  # s that any answer to the other user may take
DRIP, PERIOD = 7, 0.1  # bytes and s: 70 bytes/s, just above what the server asks for
# Content-Length, and what of the body is sent at once.
BODIES = {
    "large bodies": (1_000_000_000, 1),
    "small bodies": (1000, 1),
    "large bodies with a quick beginning": (1_000_000_000, 128 * 1024),
}


async def drip(seconds: int) -> bool:
    """Whether the other user was served in time, whichever bodies trickle; each takes ``seconds``."""
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        async with Demo() as demo:
            raw = demo.settings()
            raw["routes"] = [route | {"max_connections": PLACES} for route in raw["routes"]]
            async with serving(write(Path(folder) / "obo.yaml", raw)) as served:
                probe = Probe(served, demo.mint("alice"))
                probing = asyncio.create_task(probe.run())
                await asyncio.sleep(seconds / 10)
                print(f"alone: {probe.report()}", flush=True)
                for name, (length, beginning) in BODIES.items():
                    request = build_request(demo.mint("bob"), length, beginning)
                    begun = await attack(served.address, request, seconds)
                    held = not probe.failures and max(probe.times, default=ALLOWED) < ALLOWED
                    passed = passed and held
                    print(f"{begun} {name}: {probe.report()}{'' if held else '  TOO SLOW'}", flush=True)
                probing.cancel()
    return passed


async def attack(address: tuple[str, int], request: bytes, seconds: float) -> int:
    """Twice as many bodies as there are places, for so long; how many were begun in all."""
    end = time.monotonic() + seconds
    return sum(await asyncio.gather(*(trickle(address, request, end) for _ in range(2 * PLACES))))


async def trickle(address: tuple[str, int], request: bytes, end: float) -> int:
    """Begin again whenever it is cut or answered."""
    begun = 0
    while time.monotonic() < end:
        begun += 1
        with contextlib.suppress(OSError):
            async with connected(address) as client:
                await client.send(request)
                while time.monotonic() < end and not client.reader.at_eof():
                    await client.send(b"x" * DRIP)
                    await asyncio.sleep(PERIOD)
    return begun


def build_request(token: str, length: int, beginning: int) -> bytes:
    lines = ["POST /orders/upload HTTP/1.1", "Host: proxy", f"Content-Length: {length}"]
    return "\r\n".join([*lines, f"Authorization: Bearer {token}", "", ""]).encode() + b"x" * beginning
