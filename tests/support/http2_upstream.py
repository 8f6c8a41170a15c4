"""An upstream that speaks HTTP/2 by the ``h2`` package, and does on each stream what a test tells it to.

    async with Http2Server(answer) as upstream:   # ``async def answer(stream): await stream.respond(b"hello")``

Nothing is given back of the credit for a body but by ``stream.read``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Self

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings

Fields = Iterable[tuple[bytes, bytes]]


class ServerStream:
    """One request: ``fields`` are its head, ``body`` what has come of it; ``code`` is that of its reset."""

    def __init__(self, connection: ServerConnection, number: int, fields: list[tuple[bytes, bytes]]) -> None:
        self.connection = connection
        self.number = number
        self.fields = fields
        self.body = bytearray()
        self.trailers: list[tuple[bytes, bytes]] = []
        self.ended = asyncio.Event()
        self.reset_by_peer = asyncio.Event()
        self.code: int | None = None
        self.changed = asyncio.Event()
        self.answering: asyncio.Task[None] | None = None
        self._owed = 0

    def finish(self, _: asyncio.Task[None]) -> None:
        self.answering = None

    def value(self, name: bytes) -> bytes:
        return dict(self.fields)[name]

    async def read(self) -> bytes:
        """The whole body, its credit given back as it comes."""
        while not self.ended.is_set():
            self.give_credit()
            self.changed.clear()
            await self.changed.wait()
        self.give_credit()
        return bytes(self.body)

    def give_credit(self) -> None:
        if self._owed:
            self.connection.h2.acknowledge_received_data(self._owed, self.number)
            self._owed = 0
            self.connection.flush()

    async def respond(
        self, body: bytes = b"", *fields: tuple[bytes, bytes], status: int = 200, trailers: Fields = ()
    ) -> None:
        """A whole response."""
        self.start(*fields, status=status, ended=not body and not trailers)
        if body:
            await self.send(body, ended=not trailers)
        if trailers:
            self.end(trailers)

    def start(self, *fields: tuple[bytes, bytes], status: int = 200, ended: bool = False) -> None:
        head = [(b":status", b"%d" % status), *fields]
        self.connection.h2.send_headers(self.number, head, end_stream=ended)
        self.connection.flush()

    async def send(self, data: bytes, *, ended: bool = False) -> None:
        """As the peer gives credit."""
        h2 = self.connection.h2
        while True:
            room = min(h2.local_flow_control_window(self.number), h2.max_outbound_frame_size)
            part, data = data[:room], data[room:]
            if part or not data:
                h2.send_data(self.number, part, end_stream=ended and not data)
                self.connection.flush()
            if not data:
                return
            if not part:
                self.connection.room.clear()
                await self.connection.room.wait()

    def end(self, trailers: Fields = ()) -> None:
        if trailers:
            self.connection.h2.send_headers(self.number, list(trailers), end_stream=True)
        else:
            self.connection.h2.end_stream(self.number)
        self.connection.flush()

    def reset(self, code: int = ErrorCodes.INTERNAL_ERROR) -> None:
        self.connection.h2.reset_stream(self.number, code)
        self.connection.flush()

    def receive(self, data: bytes, size: int) -> None:
        self.body += data
        self._owed += size
        self.changed.set()


Answer = Callable[[ServerStream], Awaitable[None]]


async def say_hello(stream: ServerStream) -> None:
    await stream.read()
    await stream.respond(b"hello")


class Http2Server:
    """``streams`` are all requests, in their order; ``max_streams`` is what each connection allows."""

    def __init__(
        self,
        answer: Answer = say_hello,
        *,
        tls: ssl.SSLContext | None = None,
        path: Path | None = None,
        max_streams: int = 100,
        window: int = 65_535,
    ) -> None:
        self.answer = answer
        self.streams: list[ServerStream] = []
        self.connections: list[ServerConnection] = []
        self.settings = {
            SettingCodes.MAX_CONCURRENT_STREAMS: max_streams,
            SettingCodes.INITIAL_WINDOW_SIZE: window,
        }
        self.port = 0
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

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._path is not None:
            self._server: asyncio.Server = await loop.create_unix_server(self._connected, self._path)
        else:
            self._server = await loop.create_server(
                self._connected, "localhost", self.port, ssl=self._tls, family=socket.AF_INET
            )
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self.connections:
            connection.end()
        await asyncio.gather(*(connection.closed.wait() for connection in self.connections))

    def _connected(self) -> ServerConnection:
        connection = ServerConnection(self)
        self.connections.append(connection)
        return connection


class ServerConnection(asyncio.Protocol):
    """``room`` is set whenever the peer has given credit."""

    def __init__(self, server: Http2Server) -> None:
        self.closed = asyncio.Event()
        self.room = asyncio.Event()
        self.transport: Any = None
        self.streams: dict[int, ServerStream] = {}
        self.answering: set[asyncio.Task[None]] = set()
        self.gone_away: int | None = None
        self.gone_away_after: int | None = None  # the last stream that it serves
        self.fault: h2.exceptions.ProtocolError | None = None  # of the peer's
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                normalize_inbound_headers=False,
            )
        )
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.h2.local_settings = Settings(client=False, initial_values=self._server.settings)
        self.h2.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self.fault = error
            self.flush()
            self.transport.close()
            return
        for event in events:
            self._receive(event)
        self.flush()

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.transport.write(data)

    def write(self, data: bytes) -> None:
        """Whatever ``h2`` would not send."""
        self.flush()
        self.transport.write(data)

    def go_away(self, last: int | None = None, code: int = ErrorCodes.NO_ERROR) -> None:
        """As h2 would, but streams go on."""
        last = self.gone_away_after = max(self.streams, default=0) if last is None else last
        payload = last.to_bytes(4, "big") + int(code).to_bytes(4, "big")
        self.write(b"\0\0\x08\x07\0\0\0\0\0" + payload)

    def end(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        else:
            self.closed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        for task in self.answering:
            task.cancel()
        self.closed.set()

    def _receive(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._begin(event)
        elif isinstance(event, h2.events.DataReceived):
            self.streams[event.stream_id].receive(event.data, event.flow_controlled_length)
        elif isinstance(event, h2.events.TrailersReceived):
            self.streams[event.stream_id].trailers = list(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            stream = self.streams[event.stream_id]
            stream.ended.set()
            stream.changed.set()
        elif isinstance(event, h2.events.StreamReset):
            stream = self.streams[event.stream_id]
            stream.code = int(event.error_code)
            stream.reset_by_peer.set()
            if stream.answering is not None:
                stream.answering.cancel()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.gone_away = int(event.error_code)
        elif isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            self.room.set()

    def _begin(self, event: h2.events.RequestReceived) -> None:
        stream = ServerStream(self, event.stream_id, list(event.headers))
        self.streams[event.stream_id] = stream
        self._server.streams.append(stream)
        task = asyncio.get_running_loop().create_task(self._answer(stream))
        self.answering.add(task)
        stream.answering = task
        task.add_done_callback(self.answering.discard)
        task.add_done_callback(stream.finish)

    async def _answer(self, stream: ServerStream) -> None:
        with contextlib.suppress(h2.exceptions.ProtocolError):  # the other side has ended it meanwhile
            await self._server.answer(stream)
