"""What arrives on a connection, for streams that are open, that are over or that never were (RFC 9113 §5, §6).

Frames are cut here, so that a codec's library is given one at a time, and only those it may judge: DATA for a
stream that is open, and no GOAWAY. Every frame has to pass the bounds first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

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
from .credit import Credit
from .frames import Frame, FrameReader
from .options import CodecOptions
from .streams import LAST_STREAM_ID, Stream, Streams

_NO_INCREMENT = bytes(4)  # RFC 9113 §6.9


class Reception(ABC):
    """Of one connection; ``_read`` is the library's."""

    def __init__(self, options: CodecOptions, clock: Clock) -> None:
        self.settled = False
        self._options = options
        self._reader = FrameReader(b"" if options.client else frames.MAGIC)
        self._bounds = Bounds(options.most_header_bytes, clock)
        self._credit = Credit(options.max_held)
        self._streams = Streams()
        self._last = LAST_STREAM_ID  # that is served
        self._gone = False  # the peer has said so
        self._over = False  # nothing more is sent
        self._late = False  # the field block that goes on is of a stream that is over

    @abstractmethod
    def _read(self, frame: Frame) -> Iterable[StreamEvent]:
        """Raises ConnectionFault."""

    @abstractmethod
    def _send_reset(self, stream_id: int, code: ErrorCode) -> None: ...

    @abstractmethod
    def _give(self, stream_id: int, increment: int) -> None:
        """Send WINDOW_UPDATE."""

    @abstractmethod
    def _read_late(self, frame: Frame) -> None:
        """A part of a field block that only matters to the compression. Raises ConnectionFault."""

    @property
    def held(self) -> int:
        """Bytes received and not consumed, of all streams."""
        return self._credit.held

    @property
    def in_head(self) -> bool:
        """Whether the peer has yet to end its preface, or a head, trailers or control frame that has begun."""
        return not self.settled or self._bounds.in_block or self._reader.in_control

    def consume(self, stream_id: int, size: int) -> None:
        """Bytes received on the stream have been passed on."""
        increment = self._credit.consume(stream_id, size)
        if increment:
            self._give(stream_id, increment)
        self._grant()

    def _settle(self, frame: Frame) -> None:
        """RFC 9113 §3.4: nothing comes before SETTINGS."""
        if frame.kind != frames.SETTINGS or frame.flags & frames.ACK:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        self.settled = True

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
        elif kind <= frames.CONTINUATION:  # others are ignored (RFC 9113 §5.5)
            events.extend(self._read(frame))

    def _receive_data(self, frame: Frame, events: list[Event]) -> None:
        stream_id = frame.stream_id
        whole, some = self._credit.receive(stream_id, frame.size)
        if not whole:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "DATA without credit")
        stream = self._streams.get(stream_id)
        if stream is None:
            self._receive_late_data(frame)
        elif stream.received:
            self._break(stream_id, ErrorCode.STREAM_CLOSED, events)
        elif not stream.begun:
            self._break(stream_id, ErrorCode.PROTOCOL_ERROR, events)
        elif not some:
            self._break(stream_id, ErrorCode.FLOW_CONTROL_ERROR, events)
        else:
            self._bounds.receive_data()
            at = len(events)
            self._accept(self._read(frame), events)
            padding = frame.size - sum(len(one.data) for one in events[at:] if isinstance(one, DataReceived))
            if padding:
                self.consume(stream_id, padding)

    def _receive_late_data(self, frame: Frame) -> None:
        """Bounded by the credit that the peer had: who sent much in small frames does not know of the reset yet."""
        self._expect_late(frame.stream_id)
        if not frame.size:
            self._bounds.count_idle()
        elif not self._streams.spend_late(frame.stream_id, frame.size):
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "DATA without credit")

    def _receive_block(self, frame: Frame, events: list[Event]) -> None:
        """The library reads them all: each changes the state of the compression (RFC 9113 §4.3)."""
        if frame.kind == frames.HEADERS:
            self._late = self._is_late(frame, events)
        if self._late:
            self._read_late(frame)
        else:
            self._accept(self._read(frame), events)

    def _is_late(self, frame: Frame, events: list[Event]) -> bool:
        """Whether a field block that begins has no effect. Raises ConnectionFault."""
        stream_id = frame.stream_id
        stream = self._streams.get(stream_id)
        if stream is None:
            if self._options.client or not self._streams.is_new(stream_id):
                self._expect_late(stream_id)
                self._bounds.count_idle()
                return True
            self._streams.highest = stream_id
        elif stream.received:
            self._break(stream_id, ErrorCode.STREAM_CLOSED, events)
            return True
        elif stream.begun and not frame.flags & frames.END_STREAM:  # RFC 9113 §8.1: no trailers
            self._break(stream_id, ErrorCode.PROTOCOL_ERROR, events)
            return True
        return False

    def _receive_of_stream(self, frame: Frame, events: list[Event]) -> None:
        if frame.stream_id in self._streams:
            if frame.kind == frames.WINDOW_UPDATE and frame.payload == _NO_INCREMENT:
                self._break(frame.stream_id, ErrorCode.PROTOCOL_ERROR, events)
            else:
                self._accept(self._read(frame), events)
        elif self._streams.is_idle(frame.stream_id):
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
        self._streams.add(stream_id, Stream(begun=True, received=event.ended))
        if len(self._streams) > self._options.max_streams or stream_id > self._last:
            self._break(stream_id, ErrorCode.REFUSED_STREAM, [])
            return
        if not event.ended:
            self._credit.open(stream_id)
        events.append(event)

    def _accept_of_stream(self, event: StreamEvent, stream: Stream, events: list[Event]) -> None:
        events.append(event)
        stream_id = event.stream_id
        stream.begun = stream.begun or isinstance(event, ResponseReceived)
        if isinstance(event, StreamEnded) or (isinstance(event, ResponseReceived) and event.ended):
            self._end_received(stream_id, stream)
        elif isinstance(event, StreamReset):
            self._credit.close(stream_id)
            self._streams.remove(stream_id)
            self._count_reset()

    def _expect_late(self, stream_id: int) -> None:
        """RFC 9113 §5.1: what was under way when we reset a stream has no effect; all else is a fault."""
        if self._streams.is_idle(stream_id):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame of a stream that was never opened")
        if not self._streams.was_reset(stream_id):
            raise ConnectionFault(ErrorCode.STREAM_CLOSED, "a frame of a stream that has ended")

    def _break(self, stream_id: int, code: ErrorCode, events: list[Event]) -> None:
        """The peer has broken the rules of the stream."""
        left = self._credit.close(stream_id)
        self._send_reset(stream_id, code)
        self._streams.remove_reset(stream_id, left)
        events.append(StreamReset(stream_id, code))
        self._count_reset()

    def _end_received(self, stream_id: int, stream: Stream) -> None:
        stream.received = True
        self._credit.end(stream_id)
        if stream.sent:
            self._finish(stream_id)

    def _finish(self, stream_id: int) -> None:
        self._streams.remove(stream_id)
        self._bounds.finish_stream()

    def _count_reset(self) -> None:
        """A server's resets cost its client nothing that it has not asked for."""
        if not self._options.client:
            self._bounds.count_reset()

    def _grant(self) -> None:
        increment = 0 if self._over else self._credit.grant()
        if increment:
            self._give(0, increment)
