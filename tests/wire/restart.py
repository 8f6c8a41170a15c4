"""A rolling restart behind a switch that retries nothing, under callers that retry nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.raw_client import connected

PAUSE = 0.005  # s between a caller's requests: what starts meanwhile needs the machine too


class Switch:
    """Pipes each new connection, byte for byte, to where ``target`` points at that moment."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self._piping: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[tuple[str, int]]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[:2]
        finally:
            server.close()
            for task in self._piping:
                task.cancel()
            await asyncio.gather(*self._piping, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self.target)
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(_pipe(source, sink))
            self._piping.add(task)
            task.add_done_callback(self._piping.discard)


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


@dataclass
class Load:
    """Callers that keep their connections and ask on, until ``stopped``; ``failures`` are what none may have."""

    address: tuple[str, int]
    tokens: list[str]
    stopped: bool = False
    answered: int = 0
    connections: int = 0
    failures: list[str] = field(default_factory=list)

    async def run(self) -> None:
        await asyncio.gather(*(self._call(user, token) for user, token in enumerate(self.tokens)))

    async def reach(self, number: int) -> None:
        """Returns once that many more have been answered."""
        number += self.answered
        while self.answered < number and not self.failures:
            await asyncio.sleep(0.01)

    async def _call(self, user: int, token: str) -> None:
        body = b"x" * (70_000 if user % 4 == 0 else 0)
        method = "POST" if body else "GET"
        head = f"{method} /orders/{user} HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer {token}\r\n"
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        while not self.stopped:
            async with connected(self.address) as client:
                self.connections += 1
                more = True
                while more and not self.stopped:
                    try:
                        await client.send(request)
                        response = await client.response()
                    except Exception as error:  # noqa: BLE001 whatever a caller may see is counted
                        self.failures.append(repr(error))
                        return
                    self._judge(response.status, response.body, user)
                    await asyncio.sleep(PAUSE)
                    more = response.header(b"connection") != b"close"

    def _judge(self, status: int, body: bytes, user: int) -> None:
        self.answered += 1
        if status != 200 or json.loads(body)["path"] != f"/orders/{user}":
            self.failures.append(f"{status} {body[:200]!r}")
