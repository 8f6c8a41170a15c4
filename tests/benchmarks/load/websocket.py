"""Many websockets, each with one message on its way to an echo and back."""

from __future__ import annotations

import asyncio
import base64
import os
import statistics
import time
from collections.abc import Callable

import uvloop

MESSAGE = b'{"id":1042,"state":"shipped","items":[{"sku":"A-1","count":2}],"note":"left at the door"}'
# One masked text frame (RFC 6455 §5.2); by a mask of zeros, which costs the load least and the proxy nothing less.
FRAME = bytes((0x81, 0x80 | len(MESSAGE), 0, 0, 0, 0)) + MESSAGE
ECHO = bytes((0x81, len(MESSAGE))) + MESSAGE


def send_messages(
    port: int, path: str, token: str, connections: int, seconds: float, cpu_seconds: Callable[[], float]
) -> dict[str, float]:
    """``rate`` messages a second that came back, ``p50`` and ``p99`` seconds of their way, ``cpu`` seconds for each.

    ``cpu_seconds`` is asked when all websockets are open, and at the end.
    """
    return uvloop.run(_send(port, path, token, connections, seconds, cpu_seconds))


async def _send(
    port: int, path: str, token: str, connections: int, seconds: float, cpu_seconds: Callable[[], float]
) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    ways: list[float] = []
    senders = []
    for _ in range(connections):
        _, sender = await loop.create_connection(lambda: _Sender(ways), "127.0.0.1", port)
        senders.append(sender)
        sender.shake_hands(path, token)
    async with asyncio.timeout(10):
        await asyncio.gather(*(sender.opened for sender in senders))
    before, began = cpu_seconds(), time.monotonic()
    for sender in senders:
        sender.send()
    await asyncio.sleep(seconds)
    spent, took = cpu_seconds() - before, time.monotonic() - began
    faults = [sender.fault for sender in senders if sender.fault]
    for sender in senders:
        sender.transport.abort()
    if faults or len(ways) < 100:
        raise OSError(
            f"{len(faults)} of {connections} websockets broke, {len(ways)} messages came back: {faults[:1]}"
        )
    cuts = statistics.quantiles(ways, n=100)
    return {"rate": len(ways) / took, "p50": cuts[49], "p99": cuts[98], "cpu": spent / len(ways)}


class _Sender(asyncio.Protocol):
    """Sends the next message when the last one is back."""

    def __init__(self, ways: list[float]) -> None:
        self.opened = asyncio.get_running_loop().create_future()
        self.fault = ""
        self._ways = ways
        self._came = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def shake_hands(self, path: str, token: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET {path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {token}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def send(self) -> None:
        self._sent_at = time.monotonic()
        self.transport.write(FRAME)

    def data_received(self, data: bytes) -> None:
        self._came += data
        if not self.opened.done():
            self._open()
        elif self._came == ECHO:
            self._came = b""
            self._ways.append(time.monotonic() - self._sent_at)
            self.send()
        elif len(self._came) >= len(ECHO):
            self.fault = f"another message came back: {self._came[:40]!r}"
            self.transport.abort()

    def _open(self) -> None:
        head, found, rest = self._came.partition(b"\r\n\r\n")
        if not found:
            return
        if b" 101 " in head[:20]:
            self._came = rest
            self.opened.set_result(None)
        else:
            self.opened.set_exception(OSError(f"answered {head[:40]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        self.fault = self.fault or "the connection ended"
        if not self.opened.done():
            self.opened.set_exception(OSError("the connection ended"))
