"""An authorization server that answers as a test tells it to, over real sockets, and remembers what it was asked.

async with ScriptedServer(answer(200, TOKEN)) as server:      # the same answer each time
ScriptedServer(answer(503), RESET, answer(200, TOKEN))         # one after another; the last repeats
ScriptedServer(lambda asked: answer(200, {"n": asked.form}))   # computed, maybe by a coroutine
"""

from __future__ import annotations

import asyncio
import inspect
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl

import jwt

RESET = b""  # close without an answer
HANG = None  # say nothing until the caller has left
DRIP = b"DRIP"  # one byte after another, and no end


@dataclass
class Asked:
    """One request: lower-case header names, the form decoded, the body as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = field(repr=False)
    certificate: bytes | None = field(default=None, repr=False)  # DER, as its connection has shown it

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body)))

    def claims_of(self, name: str) -> dict[str, Any]:
        """The claims of the JWT in that header field or form field."""
        token = self.headers.get(name) or self.form[name]
        return jwt.decode(token, options={"verify_signature": False})


def answer(status: int, document: Any = None, /, body: bytes = b"", **fields: str) -> bytes:
    """A whole response; ``retry_after="3"`` sets ``Retry-After``. The server closes, and says so."""
    body = body if document is None else json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class ScriptedServer:
    """Listens on loopback while it is entered; ``asked`` is every request in the order of arrival."""

    def __init__(
        self, *script: bytes | Callable[[Asked], Any] | None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.url = ""
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await _read(reader)
        if (handshake := writer.get_extra_info("ssl_object")) is not None:
            asked.certificate = handshake.getpeercert(binary_form=True)
        self.asked.append(asked)
        step = self.script[min(len(self.asked), len(self.script)) - 1]
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            said = step(asked) if callable(step) else step
            said = await said if inspect.isawaitable(said) else said
            if said is HANG:
                await reader.read()
            elif said is DRIP:
                await _drip(writer)
            else:
                writer.write(said)
                await writer.drain()
        finally:
            self.in_flight -= 1


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0)


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Asked(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
