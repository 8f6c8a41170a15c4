"""What streams send: in turns, no more than there is room for, and not for ever to who takes nothing."""

from __future__ import annotations

import asyncio

import pytest

from proxy.server.deadlines import NEVER
from proxy.server.http2.flow import MOST_UNTAKEN, MOST_UNWRITTEN, TURN, Outflow

LEAST = 1000  # bytes that are to be taken in a second
EARLY, LATE = 0.5, 1.5  # s: within a stream's time, and after it


class Codec:
    """Notes what is sent; ``windows`` by stream, 0 for the connection."""

    def __init__(self, **windows: int) -> None:
        self.windows = {0: 2**30}
        self.sent: list[tuple[int, int, bool]] = []
        self.unwritten = 0

    def room(self, stream_id: int) -> int:
        return min(self.windows[0], self.windows.get(stream_id, 2**30))

    def send_data(self, stream_id: int, data: bytes, *, ended: bool) -> None:
        assert len(data) <= self.room(stream_id)
        self.sent.append((stream_id, len(data), ended))
        self.windows[0] -= len(data)
        if stream_id in self.windows:
            self.windows[stream_id] -= len(data)
        self.unwritten += len(data)

    def take(self) -> bytes:
        data, self.unwritten = bytes(self.unwritten), 0
        return data


class Transport:
    """Takes everything, and tells of it once there is ``enough``."""

    def __init__(self) -> None:
        self.writes: list[int] = []
        self.waiting = 0
        self.aborted = False
        self.enough = None

    def write(self, data: bytes) -> None:
        self.writes.append(len(data))
        if self.enough is not None:
            self.enough()

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


@pytest.fixture
def codec() -> Codec:
    return Codec()


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
async def outflow(codec, transport) -> Outflow:
    return Outflow(codec, transport, patience=1.0, least=LEAST)


def order(codec) -> list[int]:
    return [stream_id for stream_id, _, _ in codec.sent]


async def test_what_there_is_room_for_leaves_at_once(outflow, codec, transport):
    assert outflow.send(1, b"a" * 10, ended=False) is None
    assert outflow.send(1, b"", ended=True) is None
    assert codec.sent == [(1, 10, False), (1, 0, True)]
    await asyncio.sleep(0)
    assert transport.writes == [10]


async def test_streams_take_turns(outflow, codec):
    """A large part does not keep a small one waiting longer than for one frame."""
    codec.windows[0] = 0
    parts = [outflow.send(1, bytes(4 * TURN), ended=True), outflow.send(3, bytes(2 * TURN), ended=True)]
    assert all(parts)
    codec.windows[0] = 2**30
    outflow.make_room(0)
    assert order(codec) == [1, 3, 1, 3, 1, 1]
    assert [one.left for one in parts] == [0, 0]
    assert [ended for _, _, ended in codec.sent] == [False, False, False, True, False, True]


async def test_a_stream_without_room_stops_no_other(outflow, codec):
    codec.windows[1] = 10
    assert outflow.send(1, bytes(30), ended=True).left == 20
    assert outflow.send(3, bytes(30), ended=True) is None
    assert outflow.waiting == 20
    assert not outflow.is_behind
    codec.windows[1] = 15
    outflow.make_room(1)
    codec.windows[1] = 15
    outflow.make_room(1)
    assert codec.sent == [(1, 10, False), (3, 30, True), (1, 15, False), (1, 5, True)]
    assert outflow.waiting == 0


async def test_room_for_all_is_room_for_each(outflow, codec):
    """SETTINGS_INITIAL_WINDOW_SIZE changes the windows of all streams (RFC 9113 §6.9.2)."""
    codec.windows |= {1: 0, 3: 0}
    for stream_id in (1, 3):
        outflow.send(stream_id, b"data", ended=True)
    codec.windows |= {1: 100, 3: 100}
    outflow.make_room(0)
    assert order(codec) == [1, 3]


async def test_a_part_that_waits_is_gone_when_it_has_left(outflow, codec):
    codec.windows[1] = 0
    part = outflow.send(1, b"data", ended=False)
    part.gone = asyncio.get_running_loop().create_future()
    codec.windows[1] = 100
    outflow.make_room(1)
    assert part.gone.done()


@pytest.mark.parametrize("window", [1, 0], ids=["the stream", "the connection"])
async def test_a_stream_that_is_over_is_forgotten(outflow, codec, window):
    codec.windows[window] = 0
    part = outflow.send(1, b"data", ended=False)
    part.gone = asyncio.get_running_loop().create_future()
    outflow.drop(1)
    assert (part.gone.done(), part.data, outflow.waiting, outflow.is_behind) == (True, b"", 0, False)
    outflow.drop(1)
    codec.windows[window] = 100
    outflow.make_room(window)
    assert codec.sent == []


async def test_while_the_transport_has_enough_nothing_more_is_sent(outflow, codec, transport):
    """A part that fits the windows, and not the transport, waits as well."""

    def enough():
        outflow.paused = True

    transport.enough = enough
    part = outflow.send(1, bytes(10 * MOST_UNWRITTEN), ended=True)
    assert transport.writes == [MOST_UNWRITTEN]
    assert part.left == 9 * MOST_UNWRITTEN
    assert outflow.is_behind
    outflow.paused = False
    outflow.run()
    assert sum(transport.writes) == 2 * MOST_UNWRITTEN


async def test_who_takes_nothing_of_what_we_must_answer_is_cut(outflow, codec, transport):
    """Acknowledgements are not held back, so they have a bound of their own."""
    transport.waiting = MOST_UNTAKEN + 1
    codec.unwritten = 17
    outflow.write()
    assert transport.aborted


async def test_once_closed_nothing_is_written(outflow, codec, transport):
    codec.windows[1] = 0
    part = outflow.send(1, b"data", ended=False)
    part.gone = asyncio.get_running_loop().create_future()
    outflow.close()
    await asyncio.sleep(0)
    assert part.gone.done()
    assert transport.writes == []
    assert (outflow.waiting, outflow.deadline) == (0, NEVER)


@pytest.mark.parametrize("taken", [LEAST - 1, LEAST])
async def test_a_stream_whose_peer_takes_too_little_is_stalled(outflow, codec, taken):
    """Also where it gives room now and then; enough of it begins the time anew."""
    now = asyncio.get_running_loop().time()
    codec.windows[1] = 0
    outflow.send(1, bytes(10 * LEAST), ended=True)
    assert outflow.find_stalled(now + EARLY) == []
    codec.windows[1] = taken
    outflow.make_room(1)
    assert outflow.find_stalled(now + LATE) == ([1] if taken < LEAST else [])
    assert outflow.deadline > now


async def test_a_connection_that_takes_too_little_is_stalled(outflow, codec):
    """And no stream is to blame for it."""
    now = asyncio.get_running_loop().time()
    codec.windows[0] = 0
    for stream_id in (1, 3):
        outflow.send(stream_id, bytes(10 * LEAST), ended=True)
    assert outflow.find_stalled(now + EARLY) == []
    codec.windows[0] = LEAST - 1
    outflow.make_room(0)
    assert outflow.find_stalled(now + LATE) == [0]


async def test_a_connection_that_takes_enough_goes_on(outflow, codec):
    now = asyncio.get_running_loop().time()
    codec.windows[0] = 0
    for stream_id in (1, 3):
        outflow.send(stream_id, bytes(10 * LEAST), ended=True)
    codec.windows[0] = LEAST
    outflow.make_room(0)
    assert outflow.find_stalled(now + LATE) == []
    assert outflow.deadline != NEVER


async def test_time_in_which_the_transport_has_enough_is_not_a_streams(outflow, codec):
    now = asyncio.get_running_loop().time()
    outflow.paused = True
    outflow.send(1, bytes(10), ended=True)
    assert outflow.find_stalled(now + LATE) == []
    assert outflow.deadline == NEVER
