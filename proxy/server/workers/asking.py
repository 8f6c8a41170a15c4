"""One request at a worker's admin side, over a socket pair: nothing in the file system, nothing to be guarded there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import httpcore

from ...http.headers import Field

_ORIGIN = httpcore.Origin(b"http", b"worker", 80)
_READ = 64 * 1024


class WorkerUnavailable(Exception):
    """It did not answer, or not in time."""


@dataclass(frozen=True)
class Answer:
    """Status, field lines as received, and the whole body."""

    status: int
    headers: list[Field]
    body: bytes


async def ask(
    hand_over: Callable[[socket.socket], bool],
    method: bytes,
    target: bytes,
    headers: Iterable[Field],
    body: bytes = b"",
    *,
    seconds: float,
) -> Answer:
    """Raises WorkerUnavailable."""
    ours, theirs = socket.socketpair()
    if not hand_over(theirs):
        ours.close()
        theirs.close()
        raise WorkerUnavailable("takes no requests now")
    try:
        async with asyncio.timeout(seconds):
            return await _exchange(await _Stream.over(ours), method, target, headers, body)
    except TimeoutError as error:
        raise WorkerUnavailable("no answer in time") from error
    except (OSError, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise WorkerUnavailable("broke off") from error


async def _exchange(
    stream: _Stream, method: bytes, target: bytes, headers: Iterable[Field], body: bytes
) -> Answer:
    async with httpcore.AsyncHTTP11Connection(_ORIGIN, stream) as connection:
        url = httpcore.URL(scheme=b"http", host=b"worker", target=target)
        sent = [*headers, (b"connection", b"close"), (b"content-length", b"%d" % len(body))]
        response = await connection.handle_async_request(
            httpcore.Request(method, url, headers=sent, content=body)
        )
        return Answer(response.status, response.headers, await response.aread())


class _Stream(httpcore.AsyncNetworkStream):
    """A connected socket, as httpcore wants it; ``ask`` bounds the time of it all."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, connection: socket.socket) -> _Stream:
        return cls(*await asyncio.open_connection(sock=connection))

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 httpcore's signature
        return await self._reader.read(min(max_bytes, _READ))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 httpcore's signature
        self._writer.write(buffer)
        await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.close()

    def get_extra_info(self, info: str) -> None:
        """Nothing that httpcore would ask for."""
