"""The least a Python proxy can do: bare uvicorn, and an upstream connection of asyncio and httptools.

``uvicorn crude_sketch:app`` with ``UPSTREAM_PORT``. No verification, no limits, no back-pressure, no faults met: the
upper bound that a finished proxy on the same ground is compared with.
"""

from __future__ import annotations

import asyncio
import os

import httptools

PORT = int(os.environ["UPSTREAM_PORT"])
TOKEN = os.environ["UPSTREAM_TOKEN"].encode()
DROPPED = {b"host", b"connection", b"authorization", b"transfer-encoding"}
idle: list[UpstreamConnection] = []


class UpstreamConnection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self in idle:
            idle.remove(self)

    def on_message_begin(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        headers = [pair for pair in self.headers if pair[0] not in DROPPED]
        self.pieces.put_nowait((self.parser.get_status_code(), headers))

    def on_body(self, body: bytes) -> None:
        self.pieces.put_nowait(body)

    def on_message_complete(self) -> None:
        self.pieces.put_nowait(None)

    def request(self, head: bytes) -> None:
        self.pieces: asyncio.Queue = asyncio.Queue()
        self.transport.write(head)


async def app(scope: dict, receive: object, send: object) -> None:
    if scope["type"] != "http":
        return
    lines = [b"%s %s HTTP/1.1\r\nhost: upstream\r\n" % (scope["method"].encode(), scope["raw_path"])]
    lines += [b"%s: %s\r\n" % pair for pair in scope["headers"] if pair[0] not in DROPPED]
    lines.append(b"authorization: %s\r\n\r\n" % TOKEN)
    if idle:
        connection = idle.pop()
    else:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(UpstreamConnection, "127.0.0.1", PORT)
    connection.request(b"".join(lines))
    if scope["method"] not in {"GET", "HEAD"}:
        await relay_body(receive, connection)
    status, headers = await connection.pieces.get()
    await send({"type": "http.response.start", "status": status, "headers": headers})
    while (piece := await connection.pieces.get()) is not None:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    idle.append(connection)


async def relay_body(receive: object, connection: UpstreamConnection) -> None:
    more = True
    while more:
        message = await receive()
        connection.transport.write(message.get("body", b""))
        more = message.get("more_body", False)
