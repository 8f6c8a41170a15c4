"""A user who sends pings over a websocket and reads nothing, and another who must not notice."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from pathlib import Path

from websockets.frames import Frame, Opcode

from proxy.demo import Demo
from tests.support.raw_websocket import HANDSHAKE
from tests.support.served import serving, write

from .slow import Probe

ALLOWED = 1.0  # s that any answer to the other user may take
GROWTH = 16  # MiB that the proxy may take for it
PINGS = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 500
PAGE = os.sysconf("SC_PAGE_SIZE")
PERIOD = 1.0  # s between two looks at the memory


async def ping(seconds: int) -> bool:
    """Whether memory stayed as it was, and every answer came in time."""
    with tempfile.TemporaryDirectory() as folder:
        async with Demo() as demo, serving(write(Path(folder) / "obo.yaml", demo.settings())) as served:
            probe = Probe(served, demo.mint("alice"))
            probing = asyncio.create_task(probe.run())
            await asyncio.sleep(seconds / 10)
            print(f"alone: {probe.report()}", flush=True)
            before = resident(served.process.pid)
            request = HANDSHAKE.format(
                "/orders/echo", f"Authorization: Bearer {demo.mint('bob')}\r\n"
            ).encode()
            flooding = asyncio.create_task(asyncio.to_thread(flood, served.address, request, seconds))
            most = before
            while not flooding.done():
                await asyncio.wait([flooding], timeout=PERIOD)
                most = max(most, resident(served.process.pid))
            sent, connections = await flooding
            held = not probe.failures and max(probe.times) < ALLOWED
            print(
                f"{sent} MiB of pings over {connections} connections: {before} MiB before, {most} MiB at most"
            )
            print(f"meanwhile: {probe.report()}{'' if held else '  TOO SLOW'}", flush=True)
            probing.cancel()
    return held and most - before <= GROWTH


def flood(address: tuple[str, int], request: bytes, seconds: float) -> tuple[int, int]:
    """Send pings for so long, over a new connection whenever one is cut: MiB sent, and connections."""
    end, sent, connections = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        connections += 1
        with socket.create_connection(address) as sock:
            sock.sendall(request)
            sock.recv(12)
            sock.settimeout(PERIOD)
            while time.monotonic() < end:
                try:
                    sent += sock.send(PINGS)
                except TimeoutError:
                    continue
                except OSError:
                    break
    return sent >> 20, connections


def resident(process: int) -> int:
    """MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * PAGE >> 20
