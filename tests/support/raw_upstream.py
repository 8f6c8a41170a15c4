"""An upstream that says, byte for byte, what a test tells it to, and remembers what it heard.

    async with RawUpstream([OK]) as upstream:            # each request head is answered with OK
    RawUpstream([HEAD, CLOSE], [gate, b"late"], [RESET])  # a script for each request; the last one repeats

A script is played once a request head has arrived. Its steps: bytes are sent, an ``asyncio.Event`` is waited
for, and the steps below act. What no step reads stays unread: a request body calls for READ_BODY.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Any, Self

KEPT = 64 * 1024  # bytes of each body that are remembered


class Step(Enum):
    CLOSE = auto()  # FIN: what was sent is seen whole
    RESET = auto()  # RST
    READ_BODY = auto()  # the body of the request, by its framing
    STOP_READING = auto()  # from here on the sender meets a full window
    START_READING = auto()
    STAY = auto()  # keep the connection open until the other side closes it


CLOSE, RESET, READ_BODY = Step.CLOSE, Step.RESET, Step.READ_BODY
STOP_READING, START_READING, STAY = Step.STOP_READING, Step.START_READING, Step.STAY
Script = Sequence[bytes | asyncio.Event | Step]


def response(body: bytes = b"", *fields: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole response with its Content-Length."""
    lines = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class RawUpstream:
    """``requests`` are heads as received; ``bodies`` begin each body, ``body_sizes`` count it whole."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None, path: Path | None = None) -> None:
        self.requests: list[bytes] = []
        self.bodies: list[bytes] = []
        self.body_sizes: list[int] = []
        self.connections: list[RawConnection] = []
        self.port = 0
        self._scripts = scripts or ([response()],)
        self._tls = tls
        self._path = path

    @property
    def url(self) -> str:
        if self._path is not None:
            return f"unix:{self._path}"
        return f"http{'s' if self._tls else ''}://localhost:{self.port}"

    @property
    def open_connections(self) -> int:
        return sum(not connection.closed.is_set() for connection in self.connections)

    def next_script(self) -> Script:
        return self._scripts[min(len(self.requests), len(self._scripts)) - 1]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._path is not None:
            self._server: asyncio.Server = await loop.create_unix_server(self._connected, self._path)
        else:
            self._server = await loop.create_server(
                self._connected, "localhost", 0, ssl=self._tls, family=socket.AF_INET
            )
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self.connections:
            connection.end()
        await asyncio.gather(*(connection.closed.wait() for connection in self.connections))

    def _connected(self) -> RawConnection:
        connection = RawConnection(self)
        self.connections.append(connection)
        return connection


class RawConnection(asyncio.Protocol):
    """One accepted connection; ``closed`` is set when it has ended, from whichever side."""

    def __init__(self, upstream: RawUpstream) -> None:
        self.closed = asyncio.Event()
        self._upstream = upstream
        self._buffer = bytearray()
        self._arrived = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()

    @property
    def is_held_back(self) -> bool:
        """Whether more was written than the other side reads."""
        return not self._drained.is_set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._playing = asyncio.get_running_loop().create_task(self._play())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._arrived.set()

    def pause_writing(self) -> None:
        self._drained.clear()

    def resume_writing(self) -> None:
        self._drained.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._playing.cancel()
        del self._playing  # cancelled, it refers to us by its traceback
        self.closed.set()

    def end(self) -> None:
        if hasattr(self, "transport"):
            self.transport.abort()
        else:
            self.closed.set()

    async def _play(self) -> None:
        while True:
            head = await self._read_head()
            self._upstream.requests.append(head)
            for step in self._upstream.next_script():
                await self._act(step, head)

    async def _act(self, step: bytes | asyncio.Event | Step, head: bytes) -> None:
        if isinstance(step, bytes):
            self.transport.write(step)
            await self._drained.wait()
        elif isinstance(step, asyncio.Event):
            await step.wait()
        elif step is CLOSE:
            self.transport.close()
            await self.closed.wait()
        elif step is RESET:
            reset(self.transport)
            await self.closed.wait()
        elif step is READ_BODY:
            await self._read_body(head)
        elif step is STOP_READING:
            self.transport.pause_reading()
        elif step is START_READING:
            self.transport.resume_reading()
        else:
            await self.closed.wait()

    async def _read_head(self) -> bytes:
        await self._until(lambda: b"\r\n\r\n" in self._buffer)
        end = self._buffer.index(b"\r\n\r\n") + 4
        return self._cut(end)

    async def _read_body(self, head: bytes) -> None:
        self._upstream.bodies.append(b"")
        self._upstream.body_sizes.append(0)
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        if b"content-length" in fields:
            await self._read_bytes(int(fields[b"content-length"]))
        elif b"transfer-encoding" in fields:
            await self._read_chunks()

    async def _read_chunks(self) -> None:
        size = -1
        while size:
            await self._until(lambda: b"\r\n" in self._buffer)
            size = int(self._cut(self._buffer.index(b"\r\n") + 2), 16)
            await self._read_bytes(size)
            await self._until(lambda: len(self._buffer) >= 2)
            assert self._cut(2) == b"\r\n"

    async def _read_bytes(self, remaining: int) -> None:
        while remaining:
            await self._until(lambda: bool(self._buffer))
            piece = self._cut(min(remaining, len(self._buffer)))
            remaining -= len(piece)
            self._upstream.body_sizes[-1] += len(piece)
            self._upstream.bodies[-1] += piece[: KEPT - len(self._upstream.bodies[-1])]

    def _cut(self, end: int) -> bytes:
        piece = bytes(self._buffer[:end])
        del self._buffer[:end]
        return piece

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._arrived.clear()
            await self._arrived.wait()


def reset(transport: asyncio.Transport) -> None:
    """Close with RST."""
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    transport.abort()
