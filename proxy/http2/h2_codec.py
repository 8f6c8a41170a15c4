"""The codec by ``h2`` (python-hyper), which is mature and written in Python.

Left to it: field blocks that arrive (``hpack``), settings, the peer's credit, the bytes of what we send. Not left to
it: the rules for messages, which are ours for any codec and concern one stream, where h2 would end the connection;
what comes for streams that are over; and GOAWAY, after which h2 takes and sends no more, although streams that are
open go on (RFC 9113 §6.8).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import hpack
from h2.settings import SettingCodes, Settings

from ..http.headers import Field, Fields
from . import field_block, frames
from .bounds import Clock
from .codec import (
    ConnectionFault,
    DataReceived,
    ErrorCode,
    RequestReceived,
    ResponseReceived,
    RoomMade,
    StreamEnded,
    StreamEvent,
    StreamReset,
)
from .credit import CONNECTION_WINDOW, STREAM_WINDOW
from .frame_codec import FrameCodec
from .frames import Frame
from .options import CodecOptions

_MOST_STREAMS = 0x7FFF_FFFF  # we refuse a stream too many, where h2 would end the connection
_MOST_FRAME = 64 * 1024  # bytes of a DATA frame that we send to who takes such: other streams wait for it
_CLOSED_STREAMS = 1024  # whose end h2 remembers
_GOAWAY_SIZE = len(frames.build_go_away(0, 0))

for _name in ("hpack.hpack", "hpack.table"):  # they tell of every field, tokens too
    logging.getLogger(_name).disabled = True


class _Encoder(hpack.Encoder):
    """What h2 asks of an encoder, and without a table."""

    def __init__(self) -> None:
        super().__init__()
        self._prefix = field_block.NO_TABLE

    @property
    def header_table_size(self) -> int:
        """As it is; h2 sets it to what the peer would keep."""
        return 0

    @header_table_size.setter
    def header_table_size(self, value: int) -> None: ...

    def encode(self, headers: Iterable[Field], huffman: bool = True) -> bytes:  # type: ignore[override]
        """A field block."""
        block = self._prefix + field_block.encode(list(headers))
        self._prefix = b""
        return block


class _Decoder(hpack.Decoder):
    """Puts ``fields`` by for us. h2 sees no Content-Length: it would end the connection for one that is wrong."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.fields: list[Field] = []

    def decode(self, data: bytes, raw: bool = False) -> Iterable[hpack.HeaderTuple]:
        fields = super().decode(data, raw=True)
        self.fields = [(bytes(name), bytes(value)) for name, value in fields]
        return [field for field in fields if field[0] != b"content-length"]

    def pass_over(self, block: bytes) -> None:
        """Read it for the sake of the table. Raises ConnectionFault."""
        try:
            super().decode(block, raw=True)
            return
        except hpack.OversizedHeaderListError:
            code = ErrorCode.ENHANCE_YOUR_CALM
        except hpack.HPACKError:
            code = ErrorCode.COMPRESSION_ERROR
        raise ConnectionFault(code, "a field block that cannot be read")


class _Connection(h2.connection.H2Connection):
    MAX_CLOSED_STREAMS = _CLOSED_STREAMS


class H2Codec(FrameCodec):
    """See ``Codec``."""

    def __init__(self, options: CodecOptions, clock: Clock = time.monotonic) -> None:
        super().__init__(options, clock)
        self._connection = _Connection(
            h2.config.H2Configuration(
                client_side=options.client,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._connection.encoder = _Encoder()
        self._block = b""  # of a stream that is over
        self._decoder = self._connection.decoder = _Decoder(options.most_header_bytes)
        self._connection.local_settings = Settings(
            client=options.client,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                SettingCodes.MAX_CONCURRENT_STREAMS: _MOST_STREAMS,
            },
        )
        self._connection.initiate_connection()
        self._connection.clear_outbound_data_buffer()  # ``begin`` writes ours
        if not options.client:
            self._connection.receive_data(frames.MAGIC)  # ``FrameReader`` has read it

    def close(self) -> None:
        super().close()
        # It refers to itself: only the garbage collector would end this circle.
        vars(self._connection).clear()

    @property
    def _peer_streams(self) -> int:
        return self._connection.remote_settings.max_concurrent_streams

    def _read(self, frame: Frame) -> list[StreamEvent]:
        try:
            told = self._connection.receive_data(frame.raw)
        except h2.exceptions.ProtocolError as error:
            fault = ErrorCode(error.error_code), type(error).__name__
        else:
            fields, self._decoder.fields = self._decoder.fields, []
            return list(self._translate(told, fields))
        self._out += self._connection.data_to_send()[:-_GOAWAY_SIZE]  # it ends with a GOAWAY: ours follows
        raise ConnectionFault(*fault)  # without a context, whose frames would hold the connection

    def _read_late(self, frame: Frame) -> None:
        """h2 would answer it, and leave an exception that refers to itself and to the fields."""
        self._block += frames.read_fragment(frame)
        if frame.flags & frames.END_HEADERS:
            block, self._block = self._block, b""
            self._decoder.pass_over(block)

    def _translate(self, told: Iterable[h2.events.Event], fields: list[Field]) -> Iterator[StreamEvent]:
        for one in told:
            translate = _TRANSLATIONS.get(type(one))
            if translate is not None:
                yield from translate(one, fields)
            elif isinstance(one, h2.events.InformationalResponseReceived):
                self._bounds.count_idle()

    def _send_head(self, stream_id: int, fields: Fields, *, ended: bool) -> None:
        self._connection.send_headers(stream_id, fields, end_stream=ended)

    def _send_data(self, stream_id: int, data: bytes, *, ended: bool) -> int:
        most = min(self._connection.max_outbound_frame_size, _MOST_FRAME)
        size = len(data)
        if size <= most:
            self._connection.send_data(stream_id, data, end_stream=ended)
            return 1
        view = memoryview(data)
        for at in range(0, size, most):
            self._connection.send_data(
                stream_id, view[at : at + most], end_stream=ended and at + most >= size
            )
        return -(-size // most)

    def _send_reset(self, stream_id: int, code: ErrorCode) -> None:
        self._connection.reset_stream(stream_id, code)

    def _room(self, stream_id: int) -> int:
        if stream_id == 0:
            return self._connection.outbound_flow_control_window
        return self._connection.local_flow_control_window(stream_id)

    def _give(self, stream_id: int, increment: int) -> None:
        """h2 never sees what comes late, and has no use for the credit that the peer gets back for it."""
        if stream_id == 0 and self._connection.inbound_flow_control_window >= CONNECTION_WINDOW:
            self._out += frames.build_window_update(0, increment)
        else:
            self._connection.increment_flow_control_window(increment, stream_id or None)

    def _flush(self) -> None:
        self._out += self._connection.data_to_send()


def _translate_request(one: h2.events.RequestReceived, fields: list[Field]) -> Iterator[StreamEvent]:
    yield RequestReceived(one.stream_id, fields, one.stream_ended is not None)


def _translate_response(one: h2.events.ResponseReceived, fields: list[Field]) -> Iterator[StreamEvent]:
    yield ResponseReceived(one.stream_id, fields, one.stream_ended is not None)


def _translate_trailers(one: h2.events.TrailersReceived, fields: list[Field]) -> Iterator[StreamEvent]:
    yield StreamEnded(one.stream_id, fields)


def _translate_data(one: h2.events.DataReceived, _: list[Field]) -> Iterator[StreamEvent]:
    if one.data:
        data = bytes(one.data)
        yield DataReceived(one.stream_id, data, len(data))
    if one.stream_ended is not None:
        yield StreamEnded(one.stream_id)


def _translate_reset(one: h2.events.StreamReset, _: list[Field]) -> Iterator[StreamEvent]:
    yield StreamReset(one.stream_id, int(one.error_code))


def _translate_credit(one: h2.events.WindowUpdated, _: list[Field]) -> Iterator[StreamEvent]:
    yield RoomMade(one.stream_id)


def _translate_settings(one: h2.events.RemoteSettingsChanged, _: list[Field]) -> Iterator[StreamEvent]:
    if SettingCodes.INITIAL_WINDOW_SIZE in one.changed_settings:
        yield RoomMade(0)


_TRANSLATIONS: dict[type[h2.events.Event], Callable[..., Iterator[StreamEvent]]] = {
    h2.events.RequestReceived: _translate_request,
    h2.events.ResponseReceived: _translate_response,
    h2.events.TrailersReceived: _translate_trailers,
    h2.events.DataReceived: _translate_data,
    h2.events.StreamReset: _translate_reset,
    h2.events.WindowUpdated: _translate_credit,
    h2.events.RemoteSettingsChanged: _translate_settings,
}
