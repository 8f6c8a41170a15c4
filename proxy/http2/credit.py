"""The credit that we give to the peer (RFC 9113 §5.2, §6.9): what it may send, on a stream and altogether.

A stream's credit comes back as its bytes are consumed. The connection's comes back at once, as long as little is
held, so that a stream that is stalled does not stop the others; what is held and what may still come never
exceed ``max_held`` together.
"""

from __future__ import annotations

STREAM_WINDOW = 128 * 1024  # bytes; as many again may wait on the other side
CONNECTION_WINDOW = 512 * 1024  # bytes that may be on their way to us
DEFAULT_WINDOW = 65_535  # RFC 9113 §6.9.2: every window as a connection begins


class Window:
    """How much the peer may still send, ``left``, and how much of what it has sent is ``held``, in bytes.

    They are ``limit`` at most together, and ``left`` is at most ``size``.
    """

    __slots__ = ("held", "left", "limit", "size")

    def __init__(self, size: int, limit: int, left: int) -> None:
        self.size = size
        self.limit = limit
        self.left = left
        self.held = 0

    def receive(self, size: int) -> bool:
        """``size`` bytes have come, and are held; False where the peer had no credit for them."""
        self.left -= size
        self.held += size
        return self.left >= 0

    def free(self, size: int) -> None:
        """``size`` bytes are not held any more."""
        self.held -= size

    def grant(self) -> int:
        """What the next WINDOW_UPDATE gives, or 0: only a good part of the window is worth a frame."""
        more = min(self.size, self.limit - self.held) - self.left
        if more <= 0 or (self.left > 0 and more < self.size // 4):
            return 0
        self.left += more
        return more


class Credit:
    """The windows of one connection; ``max_held`` bytes of all its streams are not consumed or may still come."""

    __slots__ = ("_connection", "_streams")

    def __init__(self, max_held: int) -> None:
        self._connection = Window(CONNECTION_WINDOW, max_held, DEFAULT_WINDOW)
        self._streams: dict[int, Window] = {}

    @property
    def held(self) -> int:
        """Bytes received and not consumed, of all streams."""
        return self._connection.held

    def open(self, stream_id: int) -> None:
        """The peer may send on the stream."""
        self._streams[stream_id] = Window(STREAM_WINDOW, STREAM_WINDOW, STREAM_WINDOW)

    def receive(self, stream_id: int, size: int) -> tuple[bool, bool]:
        """Whether the peer had credit, of the connection and of the stream; without a stream nothing is held."""
        connection, window = self._connection, self._streams.get(stream_id)
        whole = connection.receive(size)
        if window is None:
            connection.free(size)
            return whole, True
        return whole, window.receive(size)

    def consume(self, stream_id: int, size: int) -> int:
        """What is to be given to the stream, in bytes."""
        window = self._streams.get(stream_id)
        if window is None:
            return 0
        size = min(size, window.held)
        window.free(size)
        self._connection.free(size)
        if window.size:
            return window.grant()
        if not window.held:
            del self._streams[stream_id]
        return 0

    def end(self, stream_id: int) -> None:
        """Nothing more comes; what is held still is to be consumed."""
        window = self._streams.get(stream_id)
        if window is not None and window.held:
            window.size = 0
        elif window is not None:
            del self._streams[stream_id]

    def close(self, stream_id: int) -> int:
        """Let go of what is held of it; the credit that the peer has left, in bytes."""
        window = self._streams.pop(stream_id, None)
        if window is None:
            return 0
        self._connection.free(window.held)
        return window.left

    def grant(self) -> int:
        """What is to be given to the connection, in bytes."""
        return self._connection.grant()
