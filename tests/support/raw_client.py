"""A client that sends exactly the bytes it is given and tells exactly what came back."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

PATIENCE = 20.0  # s: how long anything expected may take to come, on a busy machine too


@dataclass(frozen=True)
class RawResponse:
    """``headers`` have lower-case names; ``body`` is free of chunk framing; ``head`` is as received."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    head: bytes

    def header(self, name: bytes) -> bytes | None:
        """The one value of ``name``; None without it. Repeats are an error."""
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1, found
        return found[0] if found else None


class Truncated(Exception):
    """The connection ended before the response did; ``received`` is what had come."""

    def __init__(self, received: bytes) -> None:
        super().__init__(received)
        self.received = received


class RawClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def response(self, method: str = "GET") -> RawResponse:
        """The next response. Raises Truncated, and OSError after a reset."""
        async with asyncio.timeout(PATIENCE):
            head = await self._until(b"\r\n\r\n")
            lines = head[:-4].split(b"\r\n")
            fields = [line.split(b": ", 1) for line in lines[1:]]
            headers = [(name.lower(), value) for name, value in fields]
            response = RawResponse(int(lines[0].split()[1]), headers, b"", head)
            body = await self._body(response, method)
            return RawResponse(response.status, headers, body, head)

    async def rest(self) -> bytes:
        """Everything until the end of the connection. Raises ConnectionResetError after a reset."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    async def some(self) -> bytes:
        """What comes next, as soon as it comes; empty at the end."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read(65536)

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (OSError, ssl.SSLError):
            return

    def reset(self) -> None:
        """Leave with a reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def _body(self, response: RawResponse, method: str) -> bytes:
        if method == "HEAD" or response.status in {100, 204, 304}:
            return b""
        length = response.header(b"content-length")
        if length is not None:
            return await self._exactly(int(length))
        if response.header(b"transfer-encoding") == b"chunked":
            return await self._chunks()
        return await self.reader.read()

    async def _chunks(self) -> bytes:
        body = b""
        while size := int((await self._until(b"\r\n")).split(b";")[0], 16):
            body += (await self._exactly(size + 2))[:-2]
        await self._until(b"\r\n")
        return body

    async def _until(self, separator: bytes) -> bytes:
        try:
            return await self.reader.readuntil(separator)
        except asyncio.IncompleteReadError as error:
            raise Truncated(error.partial) from None

    async def _exactly(self, size: int) -> bytes:
        try:
            return await self.reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise Truncated(error.partial) from None


@asynccontextmanager
async def connected(address: tuple[str, int], tls: ssl.SSLContext | None = None) -> AsyncIterator[RawClient]:
    """A connection to ``address`` (host, port), closed at the end."""
    reader, writer = await asyncio.open_connection(
        *address, ssl=tls, server_hostname="localhost" if tls else None, limit=2**24
    )
    client = RawClient(reader, writer)
    try:
        yield client
    finally:
        await client.close()
