"""What comes in pieces is whole again, and takes little more memory than it holds."""

import random
import tracemalloc
from types import SimpleNamespace

import pytest

from proxy.http.pieces import SMALL, Pieces, gather
from proxy.server.cycle import Cycle
from proxy.upstream.response_parser import ResponseParser
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


@interpreted
async def test_tiny_chunks_of_a_request_take_little_more_than_they_hold():
    """F-36: while the application does not come to take them."""
    cycle = Cycle(
        SimpleNamespace(state=None), None, target=b"/", head_size=0, keep_alive=True, expects_continue=False
    )
    pieces = [bytes([number % 256, 0]) for number in range(20_000)]
    assert peak_of(cycle.feed, *pieces) < 3 * 40_000
    assert (await cycle.receive())["body"] == b"".join(pieces)


def test_trailers_of_a_response_take_no_memory():
    """F-36: nobody reads them."""
    parser = ResponseParser(bodiless=False)
    parser.feed(HEAD + b"1\r\na\r\n0\r\n")
    assert peak_of(parser.feed, b"X:\r\n" * 15_000 + b"\r\n") < 10_000
    assert parser.reusable
