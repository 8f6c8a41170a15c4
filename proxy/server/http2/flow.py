"""What the streams of one connection send, in turns and no more than the peer has room for (RFC 9113 §5.2).

Of a stream there is at most one part here: the application waits until it has left. A stream without room of its
own stands aside, so that it stops no other.
"""

from __future__ import annotations

import asyncio
from collections import deque

from ...http.headers import Fields
from ...http2.codec import Codec
from ..deadlines import NEVER

TURN = 16 * 1024  # bytes that a stream sends before it is another's turn: one frame
MOST_UNWRITTEN = 64 * 1024  # bytes of heads and data that are gathered for one write
MOST_UNTAKEN = 512 * 1024  # bytes written and not taken: data stops far below, so the rest answers floods


class Part:
    """Data of one stream that waits; ``gone`` is awaited by who has sent it."""

    __slots__ = ("at", "data", "deadline", "ended", "gone", "mark", "stream_id")

    def __init__(self, stream_id: int, data: bytes, *, ended: bool) -> None:
        self.stream_id = stream_id
        self.data = data
        self.ended = ended
        self.at = 0  # what has left of it
        self.deadline = NEVER
        self.mark = 0  # what had left when its time began
        self.gone: asyncio.Future[None] | None = None

    @property
    def left(self) -> int:
        """Bytes."""
        return len(self.data) - self.at

    def cut(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        data, start = self.data, self.at
        self.at += size
        return data if size == len(data) else data[start : self.at]

    def end(self) -> None:
        """It has left, or nobody wants it any more."""
        self.data = b""
        self.at = 0
        if self.gone is not None and not self.gone.done():
            self.gone.set_result(None)


class Outflow:
    """``paused`` is whether the transport has enough, ``waiting`` how many bytes wait here.

    ``deadline`` is the loop's time at which to look for streams, and a connection, whose peer gives no room.
    """

    def __init__(self, codec: Codec, transport: asyncio.Transport, *, patience: float, least: float) -> None:
        self.paused = False
        self._closed = False
        self.waiting = 0
        self.deadline = NEVER
        self._codec = codec
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._patience = patience  # s within which ``least`` bytes are taken
        self._least = least
        self._turns: deque[Part] = deque()
        self._aside: dict[int, Part] = {}
        self._unwritten = 0
        self._writes_soon = False
        self._sent = 0  # bytes, of all streams
        self._mark = 0  # what was sent when the connection's time began
        self._shut_deadline = NEVER  # of a connection without room

    @property
    def is_behind(self) -> bool:
        """Whether a stream would have to wait for its turn."""
        return self.paused or bool(self._turns)

    def send_head(self, stream_id: int, fields: Fields, *, ended: bool) -> None:
        """Heads take no room of the peer's; what is gathered of them is bounded as all else."""
        self._codec.respond(stream_id, fields, ended=ended)
        self._gather(sum(len(name) + len(value) for name, value in fields))
        self.write_soon()

    def send(self, stream_id: int, data: bytes, *, ended: bool) -> Part | None:
        """Send what there is room for; returns what has to wait."""
        if not data:
            if ended:
                self._codec.send_data(stream_id, b"", ended=True)
            self.write_soon()
            return None
        part = Part(stream_id, data, ended=ended)
        self.waiting += len(data)
        self._turns.append(part)
        self.run()
        return part if part.left else None

    def run(self) -> None:
        """Send as long as there is room and somebody waits."""
        codec, turns = self._codec, self._turns
        while turns and not self.paused and codec.room(0):
            part = turns.popleft()
            room = codec.room(part.stream_id)
            if not room:
                self._stand_aside(part)
                continue
            self._send_turn(part, min(room, TURN, part.left))
            if part.left:
                turns.append(part)
        self._watch_room()
        self.write_soon()

    def make_room(self, stream_id: int) -> None:
        """The peer has given room to the stream; to all of them, where that is 0."""
        if stream_id:
            part = self._aside.pop(stream_id, None)
            if part is not None:
                self._turns.append(part)
        else:
            self._turns.extend(self._aside.values())
            self._aside.clear()
        if self._turns:
            self.run()

    def drop(self, stream_id: int) -> None:
        """The stream is over."""
        part = self._aside.pop(stream_id, None)
        if part is None and self._turns:
            part = next((one for one in self._turns if one.stream_id == stream_id), None)
            if part is not None:
                self._turns.remove(part)
        if part is not None:
            self.waiting -= part.left
            part.end()

    def close(self) -> None:
        """Nothing is sent any more, and nothing written."""
        self.paused = self._closed = True
        for part in (*self._turns, *self._aside.values()):
            part.end()
        self._turns.clear()
        self._aside.clear()
        self.waiting = 0
        self.deadline = NEVER

    def write_soon(self) -> None:
        """What several streams send in one turn of the loop leaves in one write."""
        if not self._writes_soon:
            self._writes_soon = True
            self._loop.call_soon(self.write)

    def write(self) -> None:
        self._writes_soon = False
        self._unwritten = 0
        if self._closed:
            return
        data = self._codec.take()
        if data and not self._transport.is_closing():
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > MOST_UNTAKEN:
                self._transport.abort()

    # Peers that give no room

    def find_stalled(self, now: float) -> list[int]:
        """Streams whose peer has not taken in time what the rate asks for; 0 for the connection itself."""
        stalled = [part.stream_id for part in self._aside.values() if self._is_stalled(part, now)]
        if self._shut_deadline < now:
            if self._sent - self._mark < self._least:
                stalled.append(0)
            self._shut_deadline = NEVER
            self._watch_room()
        self.deadline = min((self._shut_deadline, *(part.deadline for part in self._aside.values())))
        return stalled

    def _is_stalled(self, part: Part, now: float) -> bool:
        if part.deadline > now:
            return False
        if part.at - part.mark < self._least:
            return True
        self._give_time(part)
        return False

    def _stand_aside(self, part: Part) -> None:
        """Its time goes on where it has had its turn meanwhile: a byte now and then is not enough."""
        self._aside[part.stream_id] = part
        if part.deadline == NEVER:
            self._give_time(part)
        self.deadline = min(self.deadline, part.deadline)

    def _give_time(self, part: Part) -> None:
        part.mark = part.at
        part.deadline = self._loop.time() + self._patience

    def _watch_room(self) -> None:
        """A connection without room has its time as well; while the transport has enough, that one's counts."""
        if not self._turns or self.paused:
            self._shut_deadline = NEVER
        elif self._shut_deadline == NEVER:
            self._mark = self._sent
            self._shut_deadline = self._loop.time() + self._patience
            self.deadline = min(self.deadline, self._shut_deadline)

    def _send_turn(self, part: Part, size: int) -> None:
        ended = part.ended and size == part.left
        self._codec.send_data(part.stream_id, part.cut(size), ended=ended)
        self.waiting -= size
        self._sent += size
        self._gather(size)
        if not part.left:
            part.end()

    def _gather(self, size: int) -> None:
        self._unwritten += size
        if self._unwritten >= MOST_UNWRITTEN:
            self.write()
