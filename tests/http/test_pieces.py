"""What comes in pieces is whole again, and takes little more memory than it holds."""

import asyncio
import random
import socket
import tracemalloc
from types import SimpleNamespace

import pytest

from proxy.http.pieces import SMALL, Pieces, gather, write_parts
from proxy.server.cycle import Cycle
from proxy.server.reader import RequestReader
from proxy.upstream.response_parser import ResponseParser
from tests.server.apps import USUAL_LIMITS
from tests.server.messages import chunked
from tests.support.compiled import interpreted

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("largest", [1, 2, SMALL - 1, SMALL + 1, 4 * SMALL])
def test_the_order_is_kept(largest):
    """Whatever sizes are mixed."""
    chance = random.Random(largest)
    given = [chance.randbytes(chance.randint(1, largest)) for _ in range(1000)]
    pieces: Pieces = given[:1]
    for data in given[1:]:
        if len(data) < SMALL:
            gather(pieces, data)
        else:
            pieces.append(data)
    assert b"".join(pieces) == b"".join(given)
    assert isinstance(pieces[0], bytes)


class Told:
    """Of a body by ``RequestReader``."""

    def __init__(self):
        self.pieces = []

    def on_request(self):
        """Of no interest."""

    def on_body_piece(self, data):
        self.pieces.append(data)


class Writer(asyncio.Protocol):
    paused = False

    def pause_writing(self):
        self.paused = True


def peak_of(feed, *data):
    """Bytes that it takes at the most."""
    tracemalloc.start()
    try:
        for piece in data:
            feed(piece)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_tiny_chunks_of_a_response_take_little_more_than_they_hold():
    """F-36: as objects of their own, pieces of two bytes would take twenty times their size."""
    parser = ResponseParser(bodiless=False)
    parser.feed(HEAD)
    assert peak_of(parser.feed, b"2\r\nab\r\n" * 20_000) < 3 * 40_000
    assert parser.take_body() == b"ab" * 20_000


def test_tiny_chunks_of_one_read_take_little_more_than_they_hold():
    """F-36: before they are one piece, neither."""
    told = Told()
    reader = RequestReader(told, USUAL_LIMITS)
    reader.feed(chunked(b""))
    assert peak_of(reader.feed, b"2\r\nab\r\n" * 20_000) < 4 * 40_000
    assert told.pieces == [b"ab" * 20_000]


@interpreted
async def test_tiny_chunks_of_a_request_take_little_more_than_they_hold():
    """F-36: while the application does not come to take them."""
    owner = SimpleNamespace(state=None, flow=None)
    cycle = Cycle(owner, None, target=b"/", head_size=0, keep_alive=True, expects_continue=False)
    pieces = [bytes([number % 256, 0]) for number in range(20_000)]
    assert peak_of(cycle.feed, *pieces) < 3 * 40_000
    assert (await cycle.receive())["body"] == b"".join(pieces)


def test_trailers_of_a_response_take_no_memory():
    """F-36: nobody reads them."""
    parser = ResponseParser(bodiless=False)
    parser.feed(HEAD + b"1\r\na\r\n0\r\n")
    assert peak_of(parser.feed, b"X:\r\n" * 15_000 + b"\r\n") < 10_000
    assert parser.reusable


@pytest.mark.parametrize(
    "parts", [[], [b"a"], [b"a", bytes(100_000), b"c"], [b"a", bytearray(b"b")]], ids=len
)
async def test_parts_are_written_in_their_order(parts):
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=theirs)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    write_parts(transport, parts)
    transport.close()
    assert await reader.read() == b"".join(parts)
    writer.close()
    await writer.wait_closed()


async def test_parts_that_nobody_reads_pause_the_writer():
    ours, theirs = socket.socketpair()
    transport, writer = await asyncio.get_running_loop().create_connection(Writer, sock=ours)
    with theirs:
        write_parts(transport, [b"a", bytes(10_000_000), b"c"])
        assert writer.paused
        transport.abort()
        await asyncio.sleep(0)
