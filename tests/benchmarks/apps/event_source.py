"""Server-sent events for whoever connects, each the moment of its sending: ``python event_source.py SOCKET``."""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop

INTERVAL = 0.1  # s between two events


listening: set[asyncio.Transport] = set()


class Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self.transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
            )
            listening.add(self.transport)

    def connection_lost(self, error: Exception | None) -> None:
        listening.discard(self.transport)


async def main() -> None:
    await asyncio.get_running_loop().create_unix_server(Connection, sys.argv[1], backlog=1024)
    while True:
        await asyncio.sleep(INTERVAL)
        for transport in list(listening):
            transport.write(b"data: %d\n\n" % time.monotonic_ns())


if __name__ == "__main__":
    uvloop.run(main())
