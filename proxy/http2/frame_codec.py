"""What both codecs share: streams and their ends, our credit, GOAWAY, and the bounds on a peer (RFC 9113 §5, §6).

Frames are cut here, so that a codec's library is given one at a time, and only those it may judge: DATA for a
stream that is open, nothing of a connection that is to end. What the library is for is field blocks, settings,
the peer's credit, and the bytes of what we send.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable

from ..http.headers import Fields
from . import frames
from .bounds import Bounds, Clock
from .codec import (
    ConnectionFault,
    DataReceived,
    ErrorCode,
    Event,
    GoneAway,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamEvent,
    StreamReset,
)
from .credit import STREAM_WINDOW, Credit
from .frames import Frame, FrameReader, Setting
from .options import CodecOptions

_LAST_STREAM_ID = 0x7FFF_FFFF
_REMEMBERED = 1024  # streams that we have reset, whose frames may still be on their way
_PEERS_FAULTS = frozenset(
    {
        ErrorCode.PROTOCOL_ERROR,
        ErrorCode.FLOW_CONTROL_ERROR,
        ErrorCode.STREAM_CLOSED,
        ErrorCode.FRAME_SIZE_ERROR,
        ErrorCode.REFUSED_STREAM,
        ErrorCode.ENHANCE_YOUR_CALM,
    }
)


class Stream:
    """Which sides have ended."""

    __slots__ = ("received", "sent")

    def __init__(self, *, sent: bool = False, received: bool = False) -> None:
        self.sent = sent
        self.received = received


class FrameCodec(ABC):
    """A ``Codec``, but for what its library does: that is the abstract methods."""

    def __init__(self, options: CodecOptions, clock: Clock = time.monotonic) -> None:
        self.settled = False
        self._options = options
        self._reader = FrameReader(b"" if options.client else frames.MAGIC)
        self._bounds = Bounds(options.most_header_bytes, clock)
        self._credit = Credit(self._options.max_held)
        self._streams: dict[int, Stream] = {}
        self._reset: dict[int, None] = {}  # by us, the oldest first
        self._highest = 0  # stream that was opened, by whoever is the client
        self._last = _LAST_STREAM_ID  # that is served
        self._fault: tuple[ErrorCode, str] | None = None
        self._gone = False  # the peer has said so
        self._out = bytearray()

    # What the library does

    @abstractmethod
    def _read(self, frame: Frame) -> Iterable[StreamEvent]:
        """Raises ConnectionFault. Of a head or of trailers that were not asked for, ``_accept`` disposes."""

    @abstractmethod
    def _send_head(self, stream_id: int, fields: Fields, *, ended: bool) -> None:
        """A request's, a response's, or trailers."""

    @abstractmethod
    def _send_data(self, stream_id: int, data: bytes, *, ended: bool) -> int:
        """How many frames it took."""

    @abstractmethod
    def _send_reset(self, stream_id: int, code: ErrorCode) -> None: ...

    @abstractmethod
    def _room(self, stream_id: int) -> int:
        """As ``room``; may be negative (RFC 9113 §6.9.2)."""

    @abstractmethod
    def _give(self, stream_id: int, increment: int) -> None:
        """Send WINDOW_UPDATE."""

    @abstractmethod
    def _flush(self) -> None:
        """Move what the library has to send to ``_out``."""

    @property
    @abstractmethod
    def _peer_streams(self) -> int:
        """SETTINGS_MAX_CONCURRENT_STREAMS of the peer."""

    # The port

    @property
    def held(self) -> int:
        return self._credit.held

    @property
    def in_head(self) -> bool:
        return not self.settled or self._bounds.in_block or self._reader.in_control

    @property
    def max_streams(self) -> int:
        return 0 if self._gone or self._highest > _LAST_STREAM_ID - 2 else self._peer_streams

    def begin(self) -> None:
        settings = {
            Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            Setting.MAX_HEADER_LIST_SIZE: self._options.max_header_bytes,
        }
        if self._options.client:
            self._out += frames.MAGIC
            settings[Setting.ENABLE_PUSH] = 0
        else:
            settings[Setting.MAX_CONCURRENT_STREAMS] = self._options.max_streams
        self._out += frames.build_settings(settings)
        self._grant()

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        try:
            for frame in self._reader.feed(data):
                if self._fault:
                    raise ConnectionFault(*self._fault)
                if not self.settled:
                    self._settle(frame)
                self._bounds.check(frame)
                self._receive(frame, events)
        except ConnectionFault as fault:
            self._fail(fault.code)
            raise
        self._grant()
        return events

    def take(self) -> bytes:
        self._flush()
        data = bytes(self._out)
        self._out.clear()
        return data

    def open(self, fields: Fields, *, ended: bool) -> int:
        self._highest += 2 if self._highest else 1
        stream_id = self._highest
        self._streams[stream_id] = Stream(sent=ended)
        self._credit.open(stream_id)
        self._send_head(stream_id, fields, ended=ended)
        return stream_id

    def respond(self, stream_id: int, fields: Fields, *, ended: bool) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.sent:
            self._send_head(stream_id, fields, ended=ended)
            if ended:
                self._end_sent(stream_id, stream)

    def room(self, stream_id: int) -> int:
        if stream_id == 0:
            return max(0, self._room(0))
        stream = self._streams.get(stream_id)
        return 0 if stream is None or stream.sent else max(0, self._room(stream_id))

    def send_data(self, stream_id: int, data: bytes, *, ended: bool) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.sent:
            self._bounds.send_data(self._send_data(stream_id, data, ended=ended))
            if ended:
                self._end_sent(stream_id, stream)

    def send_trailers(self, stream_id: int, trailers: Fields) -> None:
        if trailers:
            self.respond(stream_id, trailers, ended=True)
        else:
            self.send_data(stream_id, b"", ended=True)

    def consume(self, stream_id: int, size: int) -> None:
        increment = self._credit.consume(stream_id, size)
        if increment:
            self._give(stream_id, increment)
        self._grant()

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        stream = self._streams.get(stream_id)
        self._credit.close(stream_id)
        if stream is None:
            return
        self._send_reset(stream_id, code)
        self._forget(stream_id, remember=not stream.received)
        if code in _PEERS_FAULTS:
            try:
                self._count_reset()
            except ConnectionFault as fault:
                self._fault = fault.code, str(fault)

    def go_away(self, code: ErrorCode = ErrorCode.NO_ERROR, *, final: bool = True) -> None:
        self._flush()
        if final and not self._options.client:
            self._last = min(self._last, self._highest)
        last = 0 if self._options.client else self._last
        self._out += frames.build_go_away(last, code)

    def close(self) -> None:
        self._let_go()

    # What arrives

    def _receive(self, frame: Frame, events: list[Event]) -> None:
        kind, stream_id = frame.kind, frame.stream_id
        if kind == frames.DATA:
            self._receive_data(frame, events)
        elif kind in {frames.HEADERS, frames.CONTINUATION}:
            self._receive_block(frame, events)
        elif kind == frames.GOAWAY:
            self._gone = True
            events.append(GoneAway(*frames.read_go_away(frame)))
        elif (kind == frames.WINDOW_UPDATE and stream_id) or kind == frames.RST_STREAM:
            self._receive_of_stream(frame, events)
        else:
            events.extend(self._read(frame))

    def _settle(self, frame: Frame) -> None:
        """RFC 9113 §3.4: nothing comes before SETTINGS."""
        if frame.kind != frames.SETTINGS or frame.flags & frames.ACK:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        self.settled = True

    def _receive_data(self, frame: Frame, events: list[Event]) -> None:
        stream_id = frame.stream_id
        whole, some = self._credit.receive(stream_id, frame.size)
        if not whole:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "DATA without credit")
        stream = self._streams.get(stream_id)
        if stream is None:
            self._expect_late(stream_id)
        elif stream.received:
            self._break(stream_id, ErrorCode.STREAM_CLOSED, events)
        elif not some:
            self._break(stream_id, ErrorCode.FLOW_CONTROL_ERROR, events)
        else:
            self._bounds.receive_data()
            at = len(events)
            self._accept(self._read(frame), events)
            padding = frame.size - sum(len(one.data) for one in events[at:] if isinstance(one, DataReceived))
            if padding:
                self.consume(stream_id, padding)

    def _receive_block(self, frame: Frame, events: list[Event]) -> None:
        """The library reads them all: each changes the state of the compression (RFC 9113 §4.3)."""
        if frame.kind == frames.HEADERS and frame.stream_id not in self._streams:
            if self._options.client or not self._opens(frame.stream_id):
                self._expect_late(frame.stream_id)
            else:
                self._highest = frame.stream_id
        self._accept(self._read(frame), events)

    def _receive_of_stream(self, frame: Frame, events: list[Event]) -> None:
        if frame.stream_id in self._streams:
            self._accept(self._read(frame), events)
        elif self._is_idle(frame.stream_id):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame of a stream that was never opened")
        elif frame.size != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a frame of the wrong size")
        else:
            self._bounds.count_idle()

    def _accept(self, read: Iterable[StreamEvent], events: list[Event]) -> None:
        for event in read:
            stream = self._streams.get(event.stream_id)
            if isinstance(event, RequestReceived):
                self._accept_request(event, events)
            elif stream is not None:
                self._accept_of_stream(event, stream, events)
            elif isinstance(event, StreamReset):
                self._count_reset()

    def _accept_request(self, event: RequestReceived, events: list[Event]) -> None:
        stream_id = event.stream_id
        self._streams[stream_id] = Stream(received=event.ended)
        if len(self._streams) > self._options.max_streams or stream_id > self._last:
            self._break(stream_id, ErrorCode.REFUSED_STREAM, [])
            return
        if not event.ended:
            self._credit.open(stream_id)
        events.append(event)

    def _accept_of_stream(self, event: StreamEvent, stream: Stream, events: list[Event]) -> None:
        events.append(event)
        stream_id = event.stream_id
        if isinstance(event, StreamEnded) or (isinstance(event, ResponseReceived) and event.ended):
            self._end_received(stream_id, stream)
        elif isinstance(event, StreamReset):
            self._credit.close(stream_id)
            self._forget(stream_id)
            self._count_reset()

    def _expect_late(self, stream_id: int) -> None:
        """RFC 9113 §5.1: what was under way when we reset a stream has no effect; all else is a fault."""
        if self._is_idle(stream_id):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame of a stream that was never opened")
        if stream_id not in self._reset:
            raise ConnectionFault(ErrorCode.STREAM_CLOSED, "a frame of a stream that has ended")
        self._bounds.count_idle()

    def _break(self, stream_id: int, code: ErrorCode, events: list[Event]) -> None:
        """The peer has broken the rules of the stream."""
        stream = self._streams[stream_id]
        self._credit.close(stream_id)
        self._send_reset(stream_id, code)
        self._forget(stream_id, remember=not stream.received)
        events.append(StreamReset(stream_id, code))
        self._count_reset()

    # Streams

    def _opens(self, stream_id: int) -> bool:
        return stream_id % 2 == 1 and stream_id > self._highest

    def _is_idle(self, stream_id: int) -> bool:
        return stream_id % 2 == 0 or stream_id > self._highest

    def _end_received(self, stream_id: int, stream: Stream) -> None:
        stream.received = True
        self._credit.end(stream_id)
        if stream.sent:
            self._finish(stream_id)

    def _end_sent(self, stream_id: int, stream: Stream) -> None:
        stream.sent = True
        if stream.received:
            self._finish(stream_id)

    def _finish(self, stream_id: int) -> None:
        self._forget(stream_id)
        self._bounds.finish_stream()

    def _forget(self, stream_id: int, *, remember: bool = False) -> None:
        del self._streams[stream_id]
        if remember:
            self._reset[stream_id] = None
            if len(self._reset) > _REMEMBERED:
                del self._reset[next(iter(self._reset))]

    def _count_reset(self) -> None:
        """A server's resets cost its client nothing that it has not asked for."""
        if not self._options.client:
            self._bounds.count_reset()

    def _grant(self) -> None:
        increment = self._credit.grant()
        if increment:
            self._give(0, increment)

    def _fail(self, code: ErrorCode) -> None:
        self.go_away(code)
        self._let_go()

    def _let_go(self) -> None:
        self._streams.clear()
        self._reset.clear()
        self._credit = Credit(self._options.max_held)
