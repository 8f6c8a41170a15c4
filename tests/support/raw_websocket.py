"""Either end of a websocket on a bare socket: it reads and answers nothing by itself, and has no transport."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from .raw_client import PATIENCE

STALLED = 0.5  # s without a byte taken: the other end does not read
SMALL = 16 * 1024  # bytes: a socket's buffers
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (
    "GET {} HTTP/1.1\r\nHost: proxy\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + "\r\n{}\r\n"
)
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n\r\n"
)
CLOSE = struct.pack("!H", 1000)


class RawWebSocket:
    """``masked`` at the client's end."""

    def __init__(self, sock: socket.socket, *, masked: bool) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.owed = b""
        self._masked = masked
        self._buffer = bytearray()
        self._loop = asyncio.get_running_loop()

    def build(self, opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
        """A frame as this end sends it."""
        return Frame(opcode, data, fin).serialize(mask=self._masked)

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._loop.sock_sendall(self.sock, data)

    async def flood(self, data: bytes, most: int) -> int:
        """Send ``data`` again and again, up to ``most`` bytes or a cut: how many were taken until nothing more was.

        What is then missing of the last ``data`` is ``owed``.
        """
        sent = 0
        while sent < most:
            try:
                sent += self.sock.send(data[sent % len(data) :])
                await asyncio.sleep(0)
            except BlockingIOError:
                if not await self._is_writable():
                    break
            except ConnectionError:
                break
        self.owed = data[len(data) - -sent % len(data) :]
        return sent

    async def head(self) -> bytes:
        """Up to the first empty line."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            await self._read()
        return self._cut(end + 4)

    async def frame(self) -> tuple[Opcode, bytes]:
        """The next one; lengths of 64 bits are not expected. Raises EOFError."""
        head = await self._exactly(2)
        length = head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self._exactly(2))
        mask = await self._exactly(4) if head[1] & 0x80 else b"\0" * 4
        data = await self._exactly(length)
        return Opcode(head[0] & 0x0F), bytes(one ^ mask[at % 4] for at, one in enumerate(data))

    async def expect(self, opcode: Opcode, data: bytes) -> None:
        """The next frame, but for the pings of a proxy that has waited long."""
        while (frame := await self.frame()) != (opcode, data):
            assert frame[0] is Opcode.PING, frame

    async def skip(self, size: int) -> None:
        """Read so many bytes."""
        await self._exactly(size)

    async def end(self) -> None:
        """Read to the end of the connection; an end by a reset is one, too."""
        async with asyncio.timeout(PATIENCE):
            try:
                while await self._loop.sock_recv(self.sock, 65536):
                    pass
            except ConnectionError:
                return

    def reset(self) -> None:
        """Leave with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    async def _is_writable(self) -> bool:
        writable = self._loop.create_future()
        self._loop.add_writer(self.sock, lambda: writable.done() or writable.set_result(None))
        try:
            await asyncio.wait([writable], timeout=STALLED)
            return writable.done()
        finally:
            self._loop.remove_writer(self.sock)

    async def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._read()
        return self._cut(size)

    async def _read(self) -> None:
        async with asyncio.timeout(PATIENCE):
            data = await self._loop.sock_recv(self.sock, 65536)
        if not data:
            raise EOFError
        self._buffer += data

    def _cut(self, end: int) -> bytes:
        piece = bytes(self._buffer[:end])
        del self._buffer[:end]
        return piece


@asynccontextmanager
async def knocking(
    address: tuple[str, int], path: str = "/", fields: str = ""
) -> AsyncIterator[RawWebSocket]:
    """A client that has sent its handshake; its answer is yet to be read."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        client = RawWebSocket(sock, masked=True)
        await asyncio.get_running_loop().sock_connect(sock, address)
        await client.send(HANDSHAKE.format(path, fields).encode())
        yield client


class RawWebSocketAPI:
    """Where clients knock; each ``accept`` answers one."""

    def __init__(self, listening: socket.socket, url: str) -> None:
        self.url = url
        self._listening = listening

    async def accept(self, answer: bytes | None = None) -> RawWebSocket:
        """The next client's handshake, answered by ``answer`` or else accepted."""
        async with asyncio.timeout(PATIENCE):
            sock, _ = await asyncio.get_running_loop().sock_accept(self._listening)
        server = RawWebSocket(sock, masked=False)
        head = (await server.head()).decode()
        (key,) = [line[19:] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key: ")]
        await server.send(ACCEPTED % accept_key(key).encode() if answer is None else answer)
        return server


@contextmanager
def raw_websocket_api(path: Path | None = None) -> Iterator[RawWebSocketAPI]:
    """On loopback, or on a unix socket, whose buffers are small."""
    if path is None:
        listening = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    else:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen()
        url = f"unix:{path}"
    with listening:
        listening.setblocking(False)
        yield RawWebSocketAPI(listening, url)
