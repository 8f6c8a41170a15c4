"""Frames as bytes (RFC 9113 §4.1, §6): cut out of what arrives, and those that we write ourselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import NamedTuple

from .codec import ConnectionFault, ErrorCode

MAGIC = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113 §3.4
MAX_FRAME_SIZE = 16 * 1024  # bytes of a payload: the least that must be taken (§4.2), and all that we take
HEADER_SIZE = 9

DATA = 0x0
HEADERS = 0x1
PRIORITY = 0x2
RST_STREAM = 0x3
SETTINGS = 0x4
PUSH_PROMISE = 0x5
PING = 0x6
GOAWAY = 0x7
WINDOW_UPDATE = 0x8
CONTINUATION = 0x9

ACK = 0x1
END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITIZED = 0x20

_HEADER = Struct(">HBBBL")
_KIND = 3  # where in it the frame's type stands
_SETTING = Struct(">HL")
_TWO_NUMBERS = Struct(">LL")
_NUMBER = Struct(">L")
_STREAM_ID = 0x7FFF_FFFF  # the first bit is reserved


class Setting:
    """RFC 9113 §6.5.2."""

    HEADER_TABLE_SIZE = 0x1
    ENABLE_PUSH = 0x2
    MAX_CONCURRENT_STREAMS = 0x3
    INITIAL_WINDOW_SIZE = 0x4
    MAX_FRAME_SIZE = 0x5
    MAX_HEADER_LIST_SIZE = 0x6


class Frame(NamedTuple):
    """``raw`` is all of it, its header included."""

    kind: int
    flags: int
    stream_id: int
    raw: bytes

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return len(self.raw) - HEADER_SIZE

    @property
    def payload(self) -> bytes:
        """A copy."""
        return self.raw[HEADER_SIZE:]


class FrameReader:
    """Cuts what arrives into frames; of one that is not whole it keeps no more than ``MAX_FRAME_SIZE`` allows."""

    __slots__ = ("_kept", "_magic")

    def __init__(self, magic: bytes = b"") -> None:
        self._magic = magic
        self._kept = b""

    @property
    def in_control(self) -> bool:
        """Whether a frame has begun, and not ended, that is not DATA."""
        return len(self._kept) > _KIND and self._kept[_KIND] != DATA

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now. Raises ConnectionFault."""
        data = self._kept + data if self._kept else bytes(data)
        at = 0
        if self._magic:
            if data[: len(self._magic)] != self._magic[: len(data)]:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "not the preface of HTTP/2")
            if len(data) < len(self._magic):
                self._kept = data
                return
            at = len(self._magic)
            self._magic = b""
        end = len(data)
        self._kept = b""
        while end - at >= HEADER_SIZE:
            high, low, kind, flags, stream_id = _HEADER.unpack_from(data, at)
            size = high << 8 | low
            if size > MAX_FRAME_SIZE:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a frame is too large")
            if end - at < HEADER_SIZE + size:
                break
            start, at = at, at + HEADER_SIZE + size
            yield Frame(kind, flags, stream_id & _STREAM_ID, data[start:at])
        self._kept = data[at:]


def read_fragment(frame: Frame) -> bytes:
    """A part of a field block, without padding and priority (§6.2). Raises ConnectionFault."""
    payload = frame.payload
    if frame.kind == CONTINUATION:
        return payload
    start = (1 if frame.flags & PADDED else 0) + (5 if frame.flags & PRIORITIZED else 0)
    end = len(payload) - (payload[0] if frame.flags & PADDED and payload else 0)
    if end < start:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "more padding than there is of the frame")
    return payload[start:end]


def build_frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """One frame."""
    size = len(payload)
    return _HEADER.pack(size >> 8, size & 0xFF, kind, flags, stream_id) + payload


def build_settings(settings: Mapping[int, int]) -> bytes:
    """SETTINGS, none of which needs to be the default."""
    return build_frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*one) for one in settings.items()))


def build_window_update(stream_id: int, increment: int) -> bytes:
    """WINDOW_UPDATE; the connection's where ``stream_id`` is 0."""
    return build_frame(WINDOW_UPDATE, 0, stream_id, _NUMBER.pack(increment))


def build_ping() -> bytes:
    """PING, with nothing to be recognised by."""
    return build_frame(PING, 0, 0, bytes(8))


def build_go_away(last_stream_id: int, code: int) -> bytes:
    """GOAWAY, without debug data."""
    return build_frame(GOAWAY, 0, 0, _TWO_NUMBERS.pack(last_stream_id, code))


def read_go_away(frame: Frame) -> tuple[int, int]:
    """``(last_stream_id, code)``. Raises ConnectionFault."""
    if frame.stream_id:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
    if frame.size < _TWO_NUMBERS.size:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY is too short")
    last_stream_id, code = _TWO_NUMBERS.unpack_from(frame.raw, HEADER_SIZE)
    return last_stream_id & _STREAM_ID, code
