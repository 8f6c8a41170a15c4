"""A second implementation of the port, by ``zttp`` 0.0.35: what the codec that is shipped is compared with.

It shares only ``FrameCodec`` with the other. It is not shipped: as a server zttp ends a connection for good behind
4096 streams, and in either part behind 256 that were reset, however regular all was; it shows neither
``:scheme`` nor repeated fields, so the rules for messages are its own; trailers that were under way when a stream was
reset end the connection. It is young, and a fault in native code would end the whole process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import zttp

from proxy.http.headers import Field, Fields
from proxy.http2 import field_block, frames
from proxy.http2.bounds import Clock
from proxy.http2.codec import (
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
from proxy.http2.frame_codec import FrameCodec
from proxy.http2.frames import Frame, FrameReader, Setting
from proxy.http2.options import CodecOptions
from tests.http2.peer_frames import build_block, build_reset

_UNLIMITED = 0x7FFF_FFFF
# Streams that we have reset and zttp takes for open: else trailers that are under way would be a fault of the
# connection. It takes no more than 128 for open.
_LINGERING = 16


class ZttpCodec(FrameCodec):
    """See ``Codec``."""

    def __init__(self, options: CodecOptions, clock: Clock = time.monotonic) -> None:
        super().__init__(options, clock)
        role = zttp.CLIENT if options.client else zttp.SERVER
        self._connection = zttp.Connection(role, zttp.HTTP2)
        self._connection.initiate_connection()
        self._connection.data_to_send()  # ``begin`` writes ours
        if not options.client:
            self._connection.receive_data(frames.MAGIC)  # ``FrameReader`` has read it
        self._most_streams = _UNLIMITED
        self._lingering: dict[int, None] = {}
        self._prefix = field_block.NO_TABLE

    @property
    def _peer_streams(self) -> int:
        return self._most_streams

    def _read(self, frame: Frame) -> list[StreamEvent]:
        told: list[zttp.Event] = []
        try:
            self._connection.receive_data(frame.raw)
            while (one := self._connection.next_event()) is not zttp.NEED_DATA:
                told.append(one)
        except zttp.ProtocolError:
            code = self._sift()
            raise ConnectionFault(code or ErrorCode.PROTOCOL_ERROR, "a fault of the connection") from None
        self._sift()
        return list(self._translate(told))

    def _read_late(self, frame: Frame) -> None:
        self._read(frame)

    def _sift(self) -> ErrorCode | None:
        """Keep what zttp has to say but for what is ours to say; the code of its GOAWAY."""
        code = None
        data = self._connection.data_to_send()
        for frame in FrameReader().feed(data) if data else ():
            if frame.kind == frames.GOAWAY:
                code = ErrorCode(frames.read_go_away(frame)[1])
            elif frame.kind != frames.WINDOW_UPDATE:
                self._out += frame.raw
        return code

    def _translate(self, told: list[zttp.Event]) -> Iterator[StreamEvent]:
        ended = [one.stream_id for one in told if isinstance(one, zttp.EndOfMessage)]
        for one in told:
            if isinstance(one, zttp.Response):
                if one.status_code < 200:
                    self._bounds.count_idle()
                    continue
                fields = [(b":status", b"%d" % one.status_code), *one.headers]
                yield ResponseReceived(one.stream_id, fields, one.stream_id in ended)
            elif isinstance(one, zttp.EndOfMessage) and isinstance(told[0], zttp.Response):
                continue
            elif isinstance(one, zttp.Settings):
                yield from self._apply(one.params)
            else:
                yield from _TRANSLATIONS.get(type(one), _leave_out)(one)

    def _apply(self, settings: Iterable[tuple[int, int]]) -> Iterator[RoomMade]:
        for setting, value in settings:
            if setting == Setting.MAX_CONCURRENT_STREAMS:
                self._most_streams = value
            elif setting == Setting.INITIAL_WINDOW_SIZE:
                yield RoomMade(0)

    def _send_head(self, stream_id: int, fields: Fields, *, ended: bool) -> None:
        self._flush()
        self._tell_head(stream_id, fields, ended=ended)
        self._connection.data_to_send()  # ours follows
        block = self._prefix + field_block.encode(fields)
        self._prefix = b""
        self._out += build_block(stream_id, block, ended=ended)

    def _tell_head(self, stream_id: int, fields: Fields, *, ended: bool) -> None:
        """What zttp has to know of it."""
        name, value = fields[0]
        if name == b":status":
            if value[:1] == b"1":
                return
            self._connection.stream(stream_id).send_response(int(value), [], ended)
            return
        if name == b":method":
            self._connection.send_request(value, b"/", b"2", [(b"host", b"host")])
        if ended:
            self._connection.stream(stream_id).end_message()

    def _send_data(self, stream_id: int, data: bytes, *, ended: bool) -> int:
        stream = self._connection.stream(stream_id)
        if data:
            stream.send_data(data)
        if ended:
            stream.end_message()
        return 1 + len(data) // frames.MAX_FRAME_SIZE

    def _send_reset(self, stream_id: int, code: ErrorCode) -> None:
        self._flush()
        self._out += build_reset(stream_id, code)
        self._lingering[stream_id] = None
        if self._options.client or len(self._lingering) > _LINGERING:
            oldest = next(iter(self._lingering))
            del self._lingering[oldest]
            self._connection.stream(oldest).reset(code)
            self._connection.data_to_send()

    def _room(self, stream_id: int) -> int:
        if stream_id == 0:
            return int(self._connection.send_window)
        window = self._connection.stream(stream_id).send_window
        return min(window or 0, self._connection.send_window)

    def _give(self, stream_id: int, increment: int) -> None:
        self._flush()
        self._out += frames.build_window_update(stream_id, increment)

    def _flush(self) -> None:
        self._out += self._connection.data_to_send()


def _translate_request(one: zttp.Request) -> Iterator[StreamEvent]:
    fields: list[Field] = [
        (b":method", one.method),
        (b":scheme", b"https"),
        (b":path", one.target),
        *one.headers,
    ]
    yield RequestReceived(one.stream_id, fields, one.end_stream)


def _translate_data(one: zttp.Data) -> Iterator[StreamEvent]:
    if one.data:
        yield DataReceived(one.stream_id, one.data, len(one.data))


def _translate_end(one: zttp.EndOfMessage) -> Iterator[StreamEvent]:
    yield StreamEnded(one.stream_id, one.trailers or ())


def _translate_reset(one: zttp.RstStream) -> Iterator[StreamEvent]:
    yield StreamReset(one.stream_id, one.error_code)


def _translate_credit(one: zttp.WindowUpdate) -> Iterator[StreamEvent]:
    yield RoomMade(one.stream_id)


def _leave_out(_: zttp.Event) -> Iterator[StreamEvent]:
    yield from ()


_TRANSLATIONS: dict[type[zttp.Event], Callable[..., Iterator[StreamEvent]]] = {
    zttp.Request: _translate_request,
    zttp.Data: _translate_data,
    zttp.EndOfMessage: _translate_end,
    zttp.RstStream: _translate_reset,
    zttp.WindowUpdate: _translate_credit,
}
