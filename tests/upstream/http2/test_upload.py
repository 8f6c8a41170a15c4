"""Bodies on their way up, as far as the peer has room for them."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest

from proxy.errors import UpstreamBroken, UpstreamTimeout
from proxy.http2.codec import ErrorCode
from proxy.upstream import Options
from proxy.upstream.http2 import connection
from proxy.upstream.http2.body import RepeatableBody
from proxy.upstream.http2.stream import Stream
from tests.support.http2_upstream import Http2Server, ServerStream
from tests.upstream.requests import Body, until

from .requests import Connect, fetch, send

SOON = 0.3  # s: a shortened limit
WINDOW = 65_535  # bytes: what a peer gives at first, to a stream and to the connection


class Counted(Body):
    """Counts what was taken of it."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__(pieces)
        self.taken = 0

    async def read(self) -> bytes:
        piece = await super().read()
        self.taken += len(piece)
        return piece


async def take_nothing(stream: ServerStream) -> None:
    if stream.value(b":path") != b"/held":
        await stream.read()
        await stream.respond(b"hello")


async def test_a_peer_that_takes_nothing_is_sent_no_more(connect: Connect) -> None:
    """F-24: of its body one piece is here, and the caller's next ones stay where they are."""
    async with Http2Server(take_nothing) as server:
        upstream = connect(server.url)
        body = Counted([b"a" * 50_000] * 20)
        held = asyncio.ensure_future(fetch(upstream, "POST", path=b"/held", body=body))
        await until(lambda: bool(server.streams) and len(server.streams[0].body) == WINDOW)
        await asyncio.sleep(0.02)
        assert body.taken == 100_000
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held


async def test_a_stream_that_stalls_does_not_stop_others(connect: Connect) -> None:
    """H2-10: where the peer gives the connection more than the stream."""
    async with Http2Server(take_nothing, window=10_000) as server:
        upstream = connect(server.url)
        held = asyncio.ensure_future(fetch(upstream, "POST", path=b"/held", body=Body([b"a" * 50_000])))
        await until(lambda: bool(server.streams) and len(server.streams[0].body) == 10_000)
        for _ in range(3):
            assert await fetch(upstream, "POST", body=Body([b"a" * 50_000])) == (200, b"hello")
        assert len(server.connections) == 1
        server.streams[0].give_credit()
        await until(lambda: len(server.streams[0].body) == 20_000)
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held


async def test_a_connection_without_room_gets_no_more_requests(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H2-10: what one stream leaves unread may be all that the peer takes; where it takes more, it was not in vain."""
    monkeypatch.setattr(connection, "MAX_SHUT", SOON)
    size = WINDOW + 20_000
    async with Http2Server(take_nothing, window=1_000_000) as server:
        upstream = connect(server.url)
        held = asyncio.ensure_future(fetch(upstream, "POST", path=b"/held", body=Body([b"a" * size])))
        await until(lambda: bool(server.streams) and len(server.streams[0].body) == WINDOW)
        behind = asyncio.ensure_future(fetch(upstream, "POST", body=Body([b"b" * 1_000])))
        await until(lambda: len(server.streams) == 2)
        await until(lambda: not upstream._connections[0].has_room)
        assert await fetch(upstream, "POST", body=Body([b"c" * 1_000])) == (200, b"hello")
        assert len(server.connections) == 2
        server.streams[0].give_credit()
        assert await behind == (200, b"hello")
        await until(lambda: len(server.streams[0].body) == size)
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        await until(lambda: server.open_connections == 1)


async def test_a_connection_with_little_room_is_used_on(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H2-10: uploads fill whatever room there is, and it moves."""
    monkeypatch.setattr(connection, "MAX_SHUT", SOON)
    async with Http2Server(take_nothing, window=1_000_000) as server:
        upstream = connect(server.url)
        held = asyncio.ensure_future(fetch(upstream, "POST", path=b"/held", body=Body([b"a" * 2 * WINDOW])))
        await until(lambda: bool(server.streams) and len(server.streams[0].body) == WINDOW)
        for moved in range(1, 5):
            await asyncio.sleep(SOON / 2)
            server.connections[0].h2.increment_flow_control_window(1_000)
            server.connections[0].flush()
            await until(lambda: len(server.streams[0].body) == WINDOW + moved * 1_000)  # noqa: B023
        assert upstream._connections[0].has_room
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held


async def test_uploads_share_what_room_there_is(connect: Connect) -> None:
    """RFC 9113 §5.2: whoever came first does not get all that the connection has."""
    gate = asyncio.Event()

    async def answer(stream: ServerStream) -> None:
        await gate.wait()
        await stream.respond()

    async with Http2Server(answer, window=1_000_000) as server:
        upstream = connect(server.url)
        bodies = [Counted([b"a" * 40_000] * 20) for _ in range(4)]
        uploads = [asyncio.ensure_future(fetch(upstream, "POST", body=body)) for body in bodies]
        await until(lambda: sum(len(stream.body) for stream in server.streams) == WINDOW)
        for _ in range(8):
            server.connections[0].h2.increment_flow_control_window(32_000)
            server.connections[0].flush()
        await until(lambda: sum(len(stream.body) for stream in server.streams) == WINDOW + 256_000)
        sizes = [len(stream.body) for stream in server.streams]
        assert min(sizes) > 50_000
        gate.set()
        await asyncio.gather(*uploads)


@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "within the body"])
async def test_an_upload_that_stalls(connect: Connect, *, begun: bool) -> None:
    """F-14: a peer that takes nothing more is given up."""

    async def answer(stream: ServerStream) -> None:
        if begun:
            stream.start()
        await asyncio.Event().wait()

    async with Http2Server(answer) as server:
        with pytest.raises(UpstreamBroken if begun else UpstreamTimeout):
            await fetch(connect(server.url, idle=SOON), "POST", body=Body([b"a" * 100_000]))
        await asyncio.wait_for(server.streams[0].reset_by_peer.wait(), 5)
        assert server.streams[0].code == ErrorCode.CANCEL


@pytest.mark.parametrize("quiet", [False, True], ids=["all has left", "between pieces"])
async def test_time_runs_only_while_something_waits_to_leave(connect: Connect, *, quiet: bool) -> None:
    """F-14: the API may take its time once it has all, and the caller before it says more, after a long piece too."""
    more = asyncio.Event()

    async def answer(stream: ServerStream) -> None:
        await stream.read()
        await more.wait()
        await stream.respond(b"hello")

    async with Http2Server(answer) as server:
        upstream = connect(server.url, response=10_000.0, idle=300.0)
        body = Body([b"a" * 40_000, more] if quiet else [b"a" * 40_000])
        fetching = asyncio.ensure_future(fetch(upstream, "POST", body=body))
        await until(lambda: bool(server.streams) and len(server.streams[0].body) == 40_000)
        upstream._connections[0].check_deadlines(asyncio.get_running_loop().time() + 1_000)
        more.set()
        assert await fetching == (200, b"hello")


async def test_a_peer_that_does_not_read_holds_up_the_caller(connect: Connect) -> None:
    """F-24: whatever credit it has given."""
    async with Http2Server(take_nothing, window=2**30) as server:
        upstream = connect(server.url)
        await fetch(upstream)
        peer, ours = server.connections[0], upstream._connections[0]
        peer.h2.increment_flow_control_window(2**30)
        peer.flush()
        await fetch(upstream)
        peer.transport.pause_reading()
        body = Counted([b"a" * 100_000] * 400)
        held = asyncio.ensure_future(fetch(upstream, "POST", path=b"/held", body=body))
        taken = -1
        while taken != body.taken:
            taken = body.taken
            await asyncio.sleep(0.05)
        assert taken < 20_000_000  # what the kernel takes, and little more
        assert ours._transport.get_write_buffer_size() < 256 * 1024
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held


class CountingTransport:
    """Counts what is written."""

    def __init__(self, transport: Any) -> None:
        self.writes: list[int] = []
        self._transport = transport

    def write(self, data: bytes) -> None:
        self.writes.append(len(data))
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


async def test_a_small_request_leaves_in_one_piece(connect: Connect) -> None:
    """Head and body by one write: they are one packet."""
    async with Http2Server() as server:
        upstream = connect(server.url)
        await fetch(upstream)
        connection = upstream._connections[0]
        connection._transport = counting = CountingTransport(connection._transport)
        await send(upstream, "POST", body=Ready([]))
        assert len(counting.writes) == 1
        assert server.streams[1].body == b"a" * 100


class Ready(Body):
    """All of it is there already, as a small request's is."""

    async def read(self) -> bytes:
        self.whole = True
        return b"a" * 100


class Shut:
    """A connection on which there is no room; keeps since when streams have waited in vain."""

    def __init__(self) -> None:
        self.codec = Mock(**{"open.return_value": 1})
        self.options = Options(connect=1.0, response=1.0, idle=0.1, max_connections=1)
        self.served = False
        self.waited: list[float] = []

    def room(self, _: int) -> int:
        return 0

    def doubt(self, since: float) -> None:
        self.waited.append(since)

    def note(self, *_: object) -> None: ...

    block = unblock = flush = flush_soon = forget = note


class StillLoop:
    """Stands where reckoning from the deadline back gives another time: 0.3 + 0.1 - 0.1 is more than 0.3."""

    def time(self) -> float:
        return 0.3

    def create_future(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()


async def test_since_when_a_body_has_waited_is_told_as_it_was() -> None:
    """F-14: it is compared with when something was heard, which may be the same moment."""
    carrier = Shut()
    stream = Stream(carrier, "alice")
    stream.open([], RepeatableBody(Body([b"a"])), bodiless=False)
    upload: Any = stream._upload
    upload._loop = StillLoop()
    await until(lambda: upload.waits)
    stream.check_deadlines(0.35)
    assert carrier.waited == []
    stream.check_deadlines(0.45)
    assert carrier.waited == [0.3]
