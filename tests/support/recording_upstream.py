"""An upstream that reads requests as strictly as RFC 9112 allows, and answers each with what it was."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any, Self

from .strict_http import Cursor, Incomplete, Malformed, Request, read_request


class RecordingUpstream:
    """``heard`` is every byte of each connection, ``requests`` the whole ones in order, ``faults`` what was none."""

    def __init__(self) -> None:
        self.heard: list[bytearray] = []
        self.requests: list[Request] = []
        self.faults: list[Malformed] = []
        self._transports: set[asyncio.Transport] = set()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def clear(self) -> None:
        """Forget what was heard; connections stay."""
        for heard in self.heard:
            heard.clear()
        self.requests.clear()
        self.faults.clear()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "localhost", 0, family=socket.AF_INET
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for transport in self._transports:
            transport.abort()
        await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    def __init__(self, upstream: RecordingUpstream) -> None:
        self._upstream = upstream
        self._heard = bytearray()
        self._unread = b""
        upstream.heard.append(self._heard)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._upstream._transports.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream._transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        cursor = Cursor(self._unread + data)
        try:
            while True:
                self._unread = cursor.data[cursor.at :]
                if not self._unread:
                    return
                self._answer(read_request(cursor))
        except Incomplete:
            return
        except Malformed as fault:
            self._upstream.faults.append(fault)
            self._transport.abort()

    def _answer(self, request: Request) -> None:
        self._upstream.requests.append(request)
        body = describe(request)
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        if request.method != b"HEAD":
            self._transport.write(body)


def describe(request: Request) -> bytes:
    """JSON: method, target, fields in order, body."""
    fields = [(name.decode(), value.decode("latin-1")) for name, value in request.fields]
    return json.dumps(
        {
            "method": request.method.decode(),
            "target": request.target.decode(),
            "fields": fields,
            "body": request.body.decode("latin-1"),
        }
    ).encode()
