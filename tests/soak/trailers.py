"""A user whose trailers have no end, at full speed and then in tiny pieces, and another who must not notice."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from pathlib import Path

from proxy.demo import Demo
from tests.support.served import Served, serving, write

from .process import Usage
from .slow import Probe

ALLOWED = 1.0  # s that any answer to the other user may take, on a busy machine too
GROWTH = 16  # MiB that the proxy may take for it
SHARE = 0.25  # of a processor that 2 kB/s may take
BODY = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
BODIES, TRAILER = 8, 96  # MiB
PIECE, PERIOD = 20, 0.01  # bytes and s: 2 kB/s


async def trail(seconds: int) -> bool:
    """Whether memory stayed as it was, and every answer came in time; the tiny pieces come for ``seconds``."""
    with tempfile.TemporaryDirectory() as folder:
        async with Demo() as demo, serving(write(Path(folder) / "obo.yaml", demo.settings())) as served:
            probe = Probe(served, demo.mint("alice"))
            probing = asyncio.create_task(probe.run())
            attacker = Attacker(served, demo.mint("bob"))
            await asyncio.sleep(3)
            print(f"alone: {probe.report()}", flush=True)
            passed = await watch(served, probe, attacker.send_at_once, ())
            passed = await watch(served, probe, attacker.trickle, (seconds,), share=SHARE) and passed
            probing.cancel()
    return passed


async def watch(served: Served, probe: Probe, attack, arguments, *, share: float = 1.0) -> bool:
    """Run ``attack`` in a thread, and print what it took of the proxy."""
    usage = Usage(served.process.pid)
    what = await asyncio.to_thread(attack, *arguments)
    held = not probe.failures and max(probe.times, default=ALLOWED) < ALLOWED
    passed = held and usage.growth <= GROWTH and usage.share <= share
    print(f"{what}: {usage}; meanwhile {probe.report()}{'' if passed else '  TOO MUCH'}", flush=True)
    return passed


class Attacker:
    """Sends trailers behind bodies, over a new connection whenever one is cut."""

    def __init__(self, served: Served, token: str) -> None:
        self._address = served.address
        lines = ["POST /orders/upload HTTP/1.1", "Host: proxy", f"Authorization: Bearer {token}"]
        self._head = "\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode()
        self._connection: socket.socket | None = None

    def send_at_once(self) -> str:
        """One trailer of 96 MiB, or what is taken of it."""
        connection, sent = self._begin(), 0
        try:
            while sent < TRAILER:
                connection.sendall(b"x" * (1 << 20))
                sent += 1
        except OSError:
            connection.close()
        else:
            self._connection = connection
        return f"{sent} of {TRAILER} MiB of one trailer sent"

    def trickle(self, seconds: float) -> str:
        """The same slowly: on the connection that has sent it all, or on as many as it takes."""
        begun, end = 0, time.monotonic() + seconds
        connection = self._connection
        while time.monotonic() < end:
            if connection is None:
                connection = self._begin()
                begun += 1
            try:
                connection.sendall(b"x" * PIECE)
            except OSError:
                connection.close()
                connection = None
            time.sleep(PERIOD)
        if connection is not None:
            connection.close()
        return f"{PIECE / PERIOD:.0f} bytes/s for {seconds} s, {begun} connections begun"

    def _begin(self) -> socket.socket:
        """A connection on which a body has been sent whole, and a trailer begun."""
        connection = socket.create_connection(self._address, timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(self._head + BODY * BODIES + b"0\r\nX: ")
        return connection
