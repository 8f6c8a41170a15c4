"""What a codec does but for its library: the preface, streams and their ends, our credit, GOAWAY (RFC 9113 §3-§6).

What the library is for is field blocks, settings, the peer's credit, and the bytes of what we send.
"""

from __future__ import annotations

import time
from abc import abstractmethod

from ..http.headers import Fields
from . import frames
from .bounds import Clock
from .codec import ConnectionFault, ErrorCode, Event
from .credit import STREAM_WINDOW, Credit
from .frames import Setting
from .options import CodecOptions
from .reception import Reception
from .streams import LAST_STREAM_ID, Stream

# What we reset a stream for if the peer is at fault (CVE-2025-8671).
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


class FrameCodec(Reception):
    """A ``Codec``; the abstract methods are the library's."""

    def __init__(self, options: CodecOptions, clock: Clock = time.monotonic) -> None:
        super().__init__(options, clock)
        # Of the peer, found as we spoke: it ends the connection as soon as the peer says something.
        self._fault: tuple[ErrorCode, str] | None = None
        self._out = bytearray()

    @abstractmethod
    def _send_head(self, stream_id: int, fields: Fields, *, ended: bool) -> None:
        """A request's, a response's, or trailers."""

    @abstractmethod
    def _send_data(self, stream_id: int, data: bytes, *, ended: bool) -> int:
        """How many frames it took."""

    @abstractmethod
    def _room(self, stream_id: int) -> int:
        """As ``room``; may be negative (RFC 9113 §6.9.2)."""

    @abstractmethod
    def _flush(self) -> None:
        """Move what the library has to send to ``_out``."""

    @property
    @abstractmethod
    def _peer_streams(self) -> int:
        """SETTINGS_MAX_CONCURRENT_STREAMS of the peer."""

    @property
    def max_streams(self) -> int:
        return 0 if self._gone or self._streams.highest > LAST_STREAM_ID - 2 else self._peer_streams

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
        stream_id = self._streams.next_id()
        self._send_head(stream_id, fields, ended=ended)
        self._streams.add(stream_id, Stream(sent=ended))
        self._credit.open(stream_id)
        return stream_id

    def respond(self, stream_id: int, fields: Fields, *, ended: bool) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.sent:
            self._send_head(stream_id, fields, ended=ended)
            if ended:
                self._end_sent(stream_id, stream)

    def room(self, stream_id: int) -> int:
        if stream_id == 0:
            return 0 if self._over else max(0, self._room(0))
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

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        left = self._credit.close(stream_id)
        if stream_id not in self._streams:
            return
        self._send_reset(stream_id, code)
        self._streams.remove_reset(stream_id, left)
        if code in _PEERS_FAULTS:
            try:
                self._count_reset()
            except ConnectionFault as fault:
                self._fault = fault.code, str(fault)

    def ping(self) -> None:
        self._flush()
        self._out += frames.build_ping()

    def go_away(self, code: ErrorCode = ErrorCode.NO_ERROR, *, final: bool = True) -> None:
        self._flush()
        if final and not self._options.client:
            self._last = min(self._last, self._streams.highest)
        last = 0 if self._options.client else self._last
        self._out += frames.build_go_away(last, code)

    def close(self) -> None:
        self._let_go()

    def _end_sent(self, stream_id: int, stream: Stream) -> None:
        stream.sent = True
        if stream.received:
            self._finish(stream_id)

    def _fail(self, code: ErrorCode) -> None:
        self.go_away(code)
        self._let_go()

    def _let_go(self) -> None:
        self._over = self._gone = True
        self._streams.clear()
        self._credit = Credit(self._options.max_held)
