"""What holds for each codec, as a client and as a server."""

from __future__ import annotations

import pytest

from proxy.http2.codec import (
    ConnectionFault,
    DataReceived,
    ErrorCode,
    GoneAway,
    RequestReceived,
    ResponseReceived,
    RoomMade,
    StreamEnded,
    StreamReset,
)
from proxy.http2.frames import DATA, HEADERS, MAGIC, PING, build_frame
from proxy.http2.options import CodecOptions
from tests.http2.pairs import CODECS, OK, REQUEST, Pair


@pytest.fixture(params=[(client, server) for client in CODECS for server in CODECS], ids=" to ".join)
def pair(request) -> Pair:
    return Pair(*request.param)


def told(events):
    """Without what only says that there is room."""
    return [event for event in events if not isinstance(event, RoomMade)]


def test_a_request_and_its_response(pair: Pair):
    stream_id = pair.client.open(REQUEST, ended=True)
    assert told(pair.talk()[1]) == [RequestReceived(stream_id, REQUEST, ended=True)]
    pair.server.respond(stream_id, OK, ended=True)
    assert told(pair.talk()[0]) == [ResponseReceived(stream_id, OK, ended=True)]
    assert not pair.client._streams
    assert not pair.server._streams


def test_bodies_and_trailers_both_ways(pair: Pair):
    stream_id = pair.client.open(REQUEST, ended=False)
    pair.client.send_data(stream_id, b"one", ended=False)
    pair.client.send_trailers(stream_id, [(b"a", b"b")])
    pair.server.respond(stream_id, OK, ended=False)  # not heard of it yet: no effect
    assert told(pair.talk()[1]) == [
        RequestReceived(stream_id, REQUEST, ended=False),
        DataReceived(stream_id, b"one", 3),
        StreamEnded(stream_id, [(b"a", b"b")]),
    ]
    pair.server.respond(stream_id, OK, ended=False)
    pair.server.send_data(stream_id, b"two", ended=True)
    assert told(pair.talk()[0]) == [
        ResponseReceived(stream_id, OK, ended=False),
        DataReceived(stream_id, b"two", 3),
        StreamEnded(stream_id),
    ]


def test_an_interim_response(pair: Pair):
    """RFC 9113 §8.1: it is sent before the final one, and not told."""
    stream_id = pair.client.open(REQUEST, ended=False)
    pair.talk()
    pair.server.respond(stream_id, [(b":status", b"100")], ended=False)
    assert told(pair.talk()[0]) == []
    pair.client.send_data(stream_id, b"body", ended=True)
    pair.talk()
    pair.server.respond(stream_id, OK, ended=True)
    assert told(pair.talk()[0]) == [ResponseReceived(stream_id, OK, ended=True)]


def test_room_comes_back_as_it_is_consumed(pair: Pair):
    """H2-10: credit for a stream's bytes is given by ``consume`` alone."""
    stream_id = pair.client.open(REQUEST, ended=False)
    pair.talk()
    room = pair.client.room(stream_id)
    assert room == 128 * 1024
    pair.client.send_data(stream_id, bytes(room), ended=False)
    told_server = told(pair.talk()[1])
    assert sum(event.size for event in told_server) == room == pair.server.held
    assert pair.client.room(stream_id) == 0
    pair.server.consume(stream_id, room)
    assert pair.talk()[0] == [RoomMade(stream_id)]
    assert pair.client.room(stream_id) == room
    assert pair.server.held == 0


def test_a_stalled_stream_stops_no_other(pair: Pair):
    """H2-10."""
    stalled, other = (pair.client.open(REQUEST, ended=False) for _ in range(2))
    pair.talk()
    pair.client.send_data(stalled, bytes(pair.client.room(stalled)), ended=False)
    sent = 0
    for _ in range(64):
        room = pair.client.room(other)
        assert room > 0
        pair.client.send_data(other, bytes(room), ended=False)
        pair.talk()
        pair.server.consume(other, room)
        pair.talk()
        sent += room
    assert sent > 4 * 1024 * 1024
    assert pair.server.held == 128 * 1024


def test_reset_by_either_side(pair: Pair):
    for resets, hears in ((pair.client, 1), (pair.server, 0)):
        stream_id = pair.client.open(REQUEST, ended=False)
        pair.client.send_data(stream_id, bytes(1000), ended=False)
        pair.talk()
        resets.reset(stream_id, ErrorCode.CANCEL)
        assert told(pair.talk()[hears]) == [StreamReset(stream_id, ErrorCode.CANCEL)]
        assert pair.server.held == 0
        assert not pair.client._streams
        assert not pair.server._streams


def test_what_is_late_for_a_stream_that_was_reset(pair: Pair):
    """H2-11, RFC 9113 §5.1: frames already on their way have no effect, and their credit comes back."""
    stream_id = pair.client.open(REQUEST, ended=False)
    pair.talk()
    pair.server.reset(stream_id, ErrorCode.CANCEL)
    pair.client.send_data(stream_id, bytes(100_000), ended=False)
    pair.client.send_trailers(stream_id, [(b"a", b"b")])
    _, server = pair.talk()
    assert told(server) == []
    assert pair.server.held == 0
    stream_id = pair.client.open(REQUEST, ended=True)
    assert told(pair.talk()[1]) == [RequestReceived(stream_id, REQUEST, ended=True)]


def test_streams_go_on_behind_goaway(pair: Pair):
    """H2-16, RFC 9113 §6.8: those that are open come to their end; later ones are refused."""
    first = pair.client.open(REQUEST, ended=False)
    pair.talk()
    pair.server.go_away(final=False)
    second = pair.client.open(REQUEST, ended=True)
    client, server = pair.talk()
    assert told(client) == [GoneAway(0x7FFF_FFFF, 0)]
    assert told(server) == [RequestReceived(second, REQUEST, ended=True)]
    assert pair.client.max_streams == 0
    pair.server.go_away()
    late = pair.client.open(REQUEST, ended=True)
    assert told(pair.talk()[0]) == [GoneAway(second, 0), StreamReset(late, ErrorCode.REFUSED_STREAM)]
    pair.client.send_data(first, b"body", ended=True)
    assert told(pair.talk()[1]) == [DataReceived(first, b"body", 4), StreamEnded(first)]
    pair.server.respond(first, OK, ended=True)
    assert told(pair.talk()[0]) == [ResponseReceived(first, OK, ended=True)]


def test_streams_at_once(pair: Pair):
    """H2-09: the peer learns how many there may be."""
    assert pair.client.max_streams == 100
    for _ in range(100):
        pair.client.open(REQUEST, ended=True)
    assert len(told(pair.talk()[1])) == 100


def test_room_on_the_connection_is_told_apart_from_a_streams(pair: Pair):
    """A stream that takes nothing is no reason for the others to wait."""
    first, other = (pair.client.open(REQUEST, ended=False) for _ in range(2))
    pair.talk()
    pair.client.send_data(first, bytes(pair.client.room(first)), ended=False)
    pair.talk()
    assert pair.client.room(first) == 0
    assert pair.client.room(0) > 0
    assert pair.client.room(other) > 0


def test_a_head_that_has_not_ended_is_told(pair: Pair):
    """Preface, field blocks and control frames are to come whole; DATA may take its time."""
    assert CODECS["h2"](CodecOptions(client=False)).in_head
    server = pair.server
    assert not server.in_head
    pair.client.open(REQUEST, ended=False)
    head = pair.client.take()
    assert server.feed(head[:-1]) == []
    assert server.in_head
    server.feed(head[-1:])
    assert not server.in_head
    server.feed(build_frame(DATA, 0, 1, b"data")[:-1])
    assert not server.in_head
    server.feed(b"a" + build_frame(HEADERS, 0, 3, b"\x82\x84"))
    assert server.in_head


def test_the_first_frame_is_settings():
    """RFC 9113 §3.4."""
    server = CODECS["h2"](CodecOptions(client=False))
    with pytest.raises(ConnectionFault):
        server.feed(MAGIC + build_frame(PING, 0, 0, bytes(8)))


def test_a_fault_is_still_told(pair: Pair):
    """By the GOAWAY that ``take`` gives after it."""
    pair.server.take()
    with pytest.raises(ConnectionFault):
        pair.server.feed(build_frame(DATA, 0, 1, b"of no stream"))
    assert pair.client.feed(pair.server.take()) == [GoneAway(0, ErrorCode.PROTOCOL_ERROR)]
