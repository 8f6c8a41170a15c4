"""The port of the codec: frames and header compression of one connection (RFC 9113 §4-§6, RFC 7541), no networking.

Flow control is the user's: nothing is sent beyond ``room``, and the peer gets no credit for a stream's bytes but
by ``consume``. SETTINGS and PING are acknowledged by the codec itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from ..http.headers import Field, Fields


class ErrorCode(IntEnum):
    """RFC 9113 §7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class ConnectionFault(Exception):
    """The peer has broken the rules of the connection: ``take`` still gives the GOAWAY that says so, and no more."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """``fields`` as received, pseudo-header fields first; ``ended``: neither body nor trailers follow."""

    stream_id: int
    fields: list[Field] = field(repr=False)
    ended: bool


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """A final response; ``fields`` and ``ended`` as above. Interim ones are not told."""

    stream_id: int
    fields: list[Field] = field(repr=False)
    ended: bool


@dataclass(frozen=True, slots=True)
class DataReceived:
    """``size`` bytes of the peer's credit, which ``consume`` gives back; padding is given back at once."""

    stream_id: int
    data: bytes = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The peer has sent all of its message; ``trailers`` as received."""

    stream_id: int
    trailers: Sequence[Field] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class StreamReset:
    """The stream is over: the peer has reset it, or the codec has, because it broke the rules of a stream."""

    stream_id: int
    code: int


@dataclass(frozen=True, slots=True)
class GoneAway:
    """The peer serves no stream above ``last_stream_id``."""

    last_stream_id: int
    code: int


@dataclass(frozen=True, slots=True)
class RoomMade:
    """More may be sent on ``stream_id``; on any, where that is 0."""

    stream_id: int


StreamEvent = RequestReceived | ResponseReceived | DataReceived | StreamEnded | StreamReset | RoomMade
Event = StreamEvent | GoneAway


class Codec(Protocol):
    """One connection, of a server or of a client.

    What is said of a stream that is over already (the peer may have reset it meanwhile) has no effect. It can be
    over while not all of what it brought is consumed: that still has to be, or be let go by ``reset``.
    """

    @property
    def settled(self) -> bool:
        """Whether the peer's SETTINGS have come: its first frame, by which it shows that it speaks HTTP/2."""
        ...

    @property
    def held(self) -> int:
        """Bytes received and not consumed, of all streams."""
        ...

    @property
    def in_head(self) -> bool:
        """Whether the peer has yet to end its preface, or a head, trailers or control frame that has begun."""
        ...

    @property
    def max_streams(self) -> int:
        """How many streams we may have open at once: 0 once no more may be opened on this connection."""
        ...

    def begin(self) -> None:
        """Our preface: SETTINGS, of a client behind its magic."""
        ...

    def feed(self, data: bytes) -> list[Event]:
        """Raises ConnectionFault; nothing is fed after that, and no stream is left."""
        ...

    def take(self) -> bytes:
        """What is to be written now."""
        ...

    def open(self, fields: Fields, *, ended: bool) -> int:
        """Send a request, pseudo-header fields first; its stream. Only where ``max_streams`` has room for it."""
        ...

    def respond(self, stream_id: int, fields: Fields, *, ended: bool) -> None:
        """Send the head of a response, ``:status`` first; an interim one (1xx) has no end."""
        ...

    def room(self, stream_id: int) -> int:
        """Bytes that may be sent now on the stream; on the connection, whatever streams have, where that is 0."""
        ...

    def send_data(self, stream_id: int, data: bytes, *, ended: bool) -> None:
        """Send ``data``, of ``room`` bytes at most."""
        ...

    def send_trailers(self, stream_id: int, trailers: Fields) -> None:
        """They end our message, also where there are none."""
        ...

    def consume(self, stream_id: int, size: int) -> None:
        """Bytes received on the stream have been passed on: the peer may send as many more."""
        ...

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End the stream, and let go of what was received on it and not consumed."""
        ...

    def ping(self) -> None:
        """Ask for a word of the peer's. That it is the answer is not told: any bytes show that somebody is there."""
        ...

    def go_away(self, code: ErrorCode = ErrorCode.NO_ERROR, *, final: bool = True) -> None:
        """No stream beyond those that are here will be served; unless ``final`` this is only announced.

        Those that a peer opens before it hears of it are refused once it is final (RFC 9113 §6.8).
        """
        ...

    def close(self) -> None:
        """The connection is over: free all that is held. Nothing is called after that."""
        ...
