"""A websocket that sends back whatever message comes (RFC 6455): ``python echo.py SOCKET``.

It checks nothing, for it must not be what is measured: a message is one frame of less than 126 bytes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys

import uvloop
from websockets.speedups import apply_mask

KEY = re.compile(rb"(?i)sec-websocket-key: *(\S+)")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §4.2.2


class Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.open = False
        self.unread = b""

    def data_received(self, data: bytes) -> None:
        self.unread += data
        if not self.open:
            self.shake_hands()
        while self.open and len(self.unread) >= 6 + (
            length := self.unread[1] & 0x7F if self.unread[1:] else 0
        ):
            self.echo(length)

    def shake_hands(self) -> None:
        head, found, self.unread = self.unread.partition(b"\r\n\r\n")
        if not found:
            self.unread = head
            return
        accept = base64.b64encode(hashlib.sha1(KEY.search(head)[1] + GUID).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
        )
        self.open = True

    def echo(self, length: int) -> None:
        payload = apply_mask(self.unread[6 : 6 + length], self.unread[2:6])
        self.transport.write(bytes((self.unread[0], length)) + payload)
        self.unread = self.unread[6 + length :]


async def main() -> None:
    server = await asyncio.get_running_loop().create_unix_server(Connection, sys.argv[1], backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
