"""Bounds on floods (RFC 9113 §10.5): frames that cost us work and bring nobody anything.

Counted on the frames as they arrive, whichever codec reads them. A peer that exceeds a bound is told
ENHANCE_YOUR_CALM, and the connection ends. What it may send without end is bounded by flow control (DATA) or is a
request of its own (HEADERS). Each bound has a burst, a rate at which it recovers, and earns by useful work.

What we answer at once (SETTINGS and PING by their acknowledgements, of the same size) is bounded with what asks
for it, so a peer that does not read can make us keep no more than a burst and its rate until it is given up.
"""

from __future__ import annotations

from collections.abc import Callable

from . import frames
from .codec import ConnectionFault, ErrorCode
from .frames import Frame

MAX_SETTINGS = 32  # in one frame; the registry has ten
_CONTINUATIONS = 8  # more than a block of its size needs
_CONTROL_PER_STREAM = 4  # PRIORITY, a PING or two, and RST_STREAM behind the end, which some clients send
_UPDATES_PER_FRAME = 10  # WINDOW_UPDATE frames for a DATA frame that we send: one or two are usual

Clock = Callable[[], float]


class Bucket:
    """``burst`` tokens, and ``rate`` more each second; the time is only looked at where they are used up."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, burst: int, rate: float, now: float) -> None:
        self._burst = burst
        self._rate = rate
        self._tokens = float(burst)
        self._at = now

    def take(self, clock: Clock) -> bool:
        """Whether there was one."""
        self._tokens -= 1
        return self._tokens >= 0 or self._refill(clock())

    def earn(self, tokens: int) -> None:
        """Give back, never beyond the burst."""
        self._tokens = min(self._burst, self._tokens + tokens)

    def _refill(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens >= 0


class Bounds:
    """Of one connection. ``most_block_bytes`` bounds a field block as it comes, compressed."""

    __slots__ = (
        "_block",
        "_block_bytes",
        "_block_frames",
        "_clock",
        "_control",
        "_empty",
        "_most",
        "_resets",
        "_updates",
    )

    def __init__(self, most_block_bytes: int, clock: Clock) -> None:
        now = clock()
        self._clock = clock
        self._most = most_block_bytes
        self._block = 0  # the stream whose field block goes on
        self._block_bytes = 0
        self._block_frames = 0
        self._resets = Bucket(200, 33.0, now)  # streams begun and taken back (CVE-2023-44487)
        self._control = Bucket(1000, 100.0, now)  # PING, SETTINGS, PRIORITY, unknown ones, those of no effect
        self._updates = Bucket(1000, 100.0, now)  # WINDOW_UPDATE
        self._empty = Bucket(100, 10.0, now)  # DATA of padding or of nothing, which does not end a stream

    def check(self, frame: Frame) -> None:
        """Raises ConnectionFault."""
        kind = frame.kind
        if self._block and (kind != frames.CONTINUATION or frame.stream_id != self._block):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a field block is interrupted")
        if kind == frames.DATA:
            if is_empty(frame):
                _spend(self._empty, self._clock, "empty DATA frames")
        elif kind in (frames.HEADERS, frames.CONTINUATION):
            self._check_block(frame)
        elif kind == frames.WINDOW_UPDATE:
            _spend(self._updates, self._clock, "WINDOW_UPDATE frames")
        elif kind == frames.PUSH_PROMISE:  # §8.4: we have said that we take none
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE")
        elif kind == frames.SETTINGS and frame.size > 6 * MAX_SETTINGS:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many settings")
        elif kind != frames.RST_STREAM:
            self.count_idle()

    @property
    def in_block(self) -> bool:
        """Whether a field block has begun and not ended."""
        return self._block != 0

    def count_idle(self) -> None:
        """A frame without effect. Raises ConnectionFault."""
        _spend(self._control, self._clock, "control frames")

    def count_reset(self) -> None:
        """A stream has been taken back by the peer, or by us for its fault. Raises ConnectionFault."""
        _spend(self._resets, self._clock, "streams reset")

    def finish_stream(self) -> None:
        """A stream came to its regular end."""
        self._resets.earn(1)
        self._control.earn(_CONTROL_PER_STREAM)

    def send_data(self, sent: int) -> None:
        """We have sent so many DATA frames: the peer answers by giving credit."""
        self._updates.earn(_UPDATES_PER_FRAME * sent)

    def receive_data(self) -> None:
        """DATA has come: a peer may well measure the way by a PING."""
        self._control.earn(1)

    def _check_block(self, frame: Frame) -> None:
        """CVE-2024-27316: a block is bounded while it comes, by its frames as well as by its bytes."""
        if frame.kind == frames.HEADERS:
            self._block_bytes = self._block_frames = 0
        elif not self._block:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._block_bytes += frame.size
        self._block_frames += 1
        most = self._block_bytes // frames.MAX_FRAME_SIZE + _CONTINUATIONS
        if self._block_bytes > self._most or self._block_frames > most:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a field block does not end")
        self._block = 0 if frame.flags & frames.END_HEADERS else frame.stream_id


def is_empty(frame: Frame) -> bool:
    """Whether DATA brings nothing but padding, and does not end the stream either."""
    if frame.flags & frames.END_STREAM:
        return False
    padding = 1 + frame.raw[frames.HEADER_SIZE] if frame.flags & frames.PADDED and frame.size else 0
    return frame.size <= padding


def _spend(bucket: Bucket, clock: Clock, what: str) -> None:
    if not bucket.take(clock):
        raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"too many {what}")
