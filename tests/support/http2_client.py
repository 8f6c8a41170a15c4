"""A caller that speaks HTTP/2 by the ``h2`` package, and may break its rules."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
from h2.connection import ConnectionInputs, ConnectionState

from .raw_client import PATIENCE

Fields = list[tuple[bytes, bytes]]


@dataclass
class Http2Response:
    """What has come on a stream; ``reset`` is the code of an RST_STREAM."""

    headers: Fields = field(default_factory=list)
    interim: list[Fields] = field(default_factory=list)
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(dict(self.headers)[b":status"])

    def header(self, name: bytes) -> bytes | None:
        return dict(self.headers).get(name)


def make_connection() -> h2.connection.H2Connection:
    """A client's, which sends what it is told and goes on with its streams after a GOAWAY (RFC 9113 §6.8)."""
    connection = h2.connection.H2Connection(
        h2.config.H2Configuration(
            header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
        )
    )
    machine = connection.state_machine
    going = {
        (state, ConnectionInputs.RECV_GOAWAY): (None, state)
        for state in (ConnectionState.IDLE, ConnectionState.CLIENT_OPEN)
    }
    machine._transitions = {**machine._transitions, **going}
    return connection


class Http2Client:
    """One connection. ``gone`` are the GOAWAYs that came; ``credit`` is whether room is given for what comes."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, credit: bool = True
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.credit = credit
        self.streams: dict[int, Http2Response] = {}
        self.gone: list[h2.events.ConnectionTerminated] = []
        self.closed = False
        self.connection = make_connection()

    async def begin(self, settings: dict[int, int] | None = None) -> None:
        """The preface; ``settings`` of ours."""
        if settings:
            self.connection.local_settings = h2.settings.Settings(client=True, initial_values=settings)
        self.connection.initiate_connection()
        await self.flush()

    async def flush(self) -> None:
        self.writer.write(self.connection.data_to_send())
        await self.writer.drain()

    async def send_raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def request(
        self,
        path: str = "/",
        *fields: tuple[bytes, bytes],
        method: str = "GET",
        body: bytes | None = None,
        ended: bool = True,
        head: Fields | None = None,
    ) -> int:
        """Send a request, and end it unless ``ended`` is false; its stream."""
        if head is None:
            head = [
                (b":method", method.encode()),
                (b":scheme", b"http"),
                (b":authority", b"api.example"),
                (b":path", path.encode()),
            ]
        stream_id = self.connection.get_next_available_stream_id()
        self.streams[stream_id] = Http2Response()
        self.connection.send_headers(stream_id, [*head, *fields], end_stream=ended and body is None)
        if body is not None:
            self.connection.send_data(stream_id, body, end_stream=ended)
        await self.flush()
        return stream_id

    async def data(self, stream_id: int, data: bytes, *, ended: bool = False) -> None:
        self.connection.send_data(stream_id, data, end_stream=ended)
        await self.flush()

    async def response(self, stream_id: int) -> Http2Response:
        """The stream's, once it has ended or is reset. Raises EOFError where the connection ends before."""
        answer = self.streams[stream_id]
        await self.until(lambda: answer.ended or answer.reset is not None)
        return answer

    async def get(self, path: str = "/", *fields: tuple[bytes, bytes], **more: Any) -> Http2Response:
        return await self.response(await self.request(path, *fields, **more))

    async def until(self, done: Any) -> None:
        """Raises EOFError where the connection ends before."""
        async with asyncio.timeout(PATIENCE):
            while not done():
                if not await self.step():
                    raise EOFError(self.gone)

    async def rest(self) -> None:
        """Read until the connection ends."""
        async with asyncio.timeout(PATIENCE):
            while await self.step():
                pass

    async def step(self) -> bool:
        """Read once; False at the end."""
        try:
            data = await self.reader.read(65536)
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return False
        for event in self.connection.receive_data(data):
            self._note(event)
        if not self.writer.transport.is_closing():
            self.writer.write(self.connection.data_to_send())
        return True

    def _note(self, event: h2.events.Event) -> None:
        stream_id = getattr(event, "stream_id", None)
        answer = self.streams.get(stream_id) if stream_id else None
        if isinstance(event, h2.events.ConnectionTerminated):
            self.gone.append(event)
        if answer is None:
            return
        if isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(_plain(event.headers))
        elif isinstance(event, h2.events.ResponseReceived):
            answer.headers = _plain(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if self.credit and event.flow_controlled_length:
                self.connection.acknowledge_received_data(event.flow_controlled_length, stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = _plain(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = int(event.error_code)


def _plain(headers: Iterable[tuple[bytes, bytes]]) -> Fields:
    return [(bytes(name), bytes(value)) for name, value in headers]


@asynccontextmanager
async def speaking(
    address: tuple[str, int],
    tls: ssl.SSLContext | None = None,
    settings: dict[int, int] | None = None,
    *,
    credit: bool = True,
) -> AsyncIterator[Http2Client]:
    """A connection to ``address`` (host, port) whose preface is sent."""
    reader, writer = await asyncio.open_connection(
        *address, ssl=tls, server_hostname="localhost" if tls else None, limit=2**20
    )
    client = Http2Client(reader, writer, credit=credit)
    await client.begin(settings)
    try:
        yield client
    finally:
        writer.close()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
