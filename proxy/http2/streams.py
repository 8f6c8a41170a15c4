"""The streams of a connection, and what is still to be expected of those that are over (RFC 9113 §5.1)."""

from __future__ import annotations

LAST_STREAM_ID = 0x7FFF_FFFF
_REMEMBERED = 1024  # streams that we have reset, whose frames may still be on their way


class Stream:
    """Which sides have ended, and whether the peer has ``begun``: a server's head may still be to come."""

    __slots__ = ("begun", "received", "sent")

    def __init__(self, *, sent: bool = False, begun: bool = False, received: bool = False) -> None:
        self.sent = sent
        self.begun = begun
        self.received = received


class Streams:
    """Those that are open, by id; ``highest`` is the last that the client has opened."""

    __slots__ = ("_open", "_reset", "highest")

    def __init__(self) -> None:
        self._open: dict[int, Stream] = {}
        self._reset: dict[int, int] = {}  # by us, the oldest first, and the credit that the peer had left
        self.highest = 0

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, stream_id: int) -> bool:
        return stream_id in self._open

    def get(self, stream_id: int) -> Stream | None:
        """None for one that is not open."""
        return self._open.get(stream_id)

    def add(self, stream_id: int, stream: Stream) -> None:
        """It is open now."""
        self._open[stream_id] = stream

    def next_id(self) -> int:
        """For a stream that a client opens."""
        self.highest += 2 if self.highest else 1
        return self.highest

    def is_new(self, stream_id: int) -> bool:
        """Whether a client may open it (§5.1.1)."""
        return stream_id % 2 == 1 and stream_id > self.highest

    def is_idle(self, stream_id: int) -> bool:
        """Whether it was never opened. Servers open none, since nobody lets them push."""
        return stream_id % 2 == 0 or stream_id > self.highest

    def was_reset(self, stream_id: int) -> bool:
        """Whether its late frames have no effect."""
        return stream_id in self._reset

    def remove(self, stream_id: int) -> None:
        """It has ended."""
        del self._open[stream_id]

    def spend_late(self, stream_id: int, size: int) -> bool:
        """DATA has come for one that we have reset; False where the peer had no credit for it."""
        self._reset[stream_id] -= size
        return self._reset[stream_id] >= 0

    def remove_reset(self, stream_id: int, left: int) -> None:
        """We have reset it: the peer may not know yet, and has credit for ``left`` bytes."""
        if not self._open.pop(stream_id).received:
            self._reset[stream_id] = left
            if len(self._reset) > _REMEMBERED:
                del self._reset[next(iter(self._reset))]

    def clear(self) -> None:
        """None is open, and none remembered."""
        self._open.clear()
        self._reset.clear()
