"""RFC 9113 §5, §6: what a peer may say in which state, and whom it costs what."""

from __future__ import annotations

import contextlib
import gc

import pytest

from proxy.http2 import field_block, frames
from proxy.http2.codec import ConnectionFault, DataReceived, ErrorCode, RequestReceived, StreamReset
from proxy.http2.credit import STREAM_WINDOW
from proxy.http2.frames import build_frame, build_settings, build_window_update
from proxy.http2.options import CodecOptions
from tests.http2.pairs import CODECS, OK, REQUEST, Clock
from tests.http2.peer_frames import build_block, build_reset

CALM = ErrorCode.ENHANCE_YOUR_CALM
PROTOCOL = ErrorCode.PROTOCOL_ERROR
SIZE = ErrorCode.FRAME_SIZE_ERROR
CLOSED = ErrorCode.STREAM_CLOSED
FLOW = ErrorCode.FLOW_CONTROL_ERROR
COMPRESSION = ErrorCode.COMPRESSION_ERROR
TRAILERS = [(b"a", b"b")]


def head(stream_id, fields=REQUEST, *, ended=False) -> bytes:
    return build_block(stream_id, field_block.encode(fields), ended=ended)


def data(stream_id, size=1, *, ended=False) -> bytes:
    return build_frame(frames.DATA, frames.END_STREAM if ended else 0, stream_id, bytes(size))


def build(codec, *, client=False):
    made = CODECS[codec](CodecOptions(client=client), Clock())
    made.begin()
    made.feed(b"" if client else frames.MAGIC)
    made.feed(build_settings({}))
    made.take()
    return made


BOMB = b"\x40\x01a\x7f\x81\x1f" + b"x" * 4096 + b"\xbe" * 12_000
# What ends the connection, by its code.
FAULTS = {
    "a stream in order": ([head(3), head(1)], {CLOSED, PROTOCOL}),
    "a stream of ours": ([head(2)], {PROTOCOL}),
    "DATA of no stream": ([data(1)], {PROTOCOL}),
    "DATA of stream 0": ([data(0)], {PROTOCOL}),
    "HEADERS of stream 0": ([head(0)], {PROTOCOL}),
    "RST_STREAM of no stream": ([build_reset(1, 8)], {PROTOCOL}),
    "WINDOW_UPDATE of no stream": ([build_window_update(1, 1)], {PROTOCOL}),
    "a field block interrupted": (
        [build_frame(frames.HEADERS, 0, 1, b""), build_frame(frames.PING, 0, 0, bytes(8))],
        {PROTOCOL},
    ),
    "a field block continued elsewhere": (
        [build_frame(frames.HEADERS, 0, 1, b""), build_frame(frames.CONTINUATION, 4, 3, b"")],
        {PROTOCOL},
    ),
    "CONTINUATION of nothing": ([build_frame(frames.CONTINUATION, 4, 1, b"")], {PROTOCOL}),
    "PUSH_PROMISE": ([head(1), build_frame(frames.PUSH_PROMISE, 4, 1, b"\0\0\0\2")], {PROTOCOL}),
    "a frame too large": ([build_frame(0x1F, 0, 0, bytes(frames.MAX_FRAME_SIZE + 1))], {SIZE}),
    "PING of the wrong size": ([build_frame(frames.PING, 0, 0, b"1")], {SIZE}),
    "SETTINGS of the wrong size": ([build_frame(frames.SETTINGS, 0, 0, bytes(5))], {SIZE}),
    "SETTINGS on a stream": ([head(1), build_frame(frames.SETTINGS, 0, 1, b"")], {PROTOCOL}),
    "SETTINGS with a window too large": ([build_settings({4: 1 << 31})], {FLOW}),
    "SETTINGS with a frame too small": ([build_settings({5: 1})], {PROTOCOL}),
    "RST_STREAM of the wrong size": ([head(1), build_frame(frames.RST_STREAM, 0, 1, b"1")], {SIZE}),
    "late RST_STREAM of the wrong size": (
        [head(1), build_reset(1, 8), build_frame(frames.RST_STREAM, 0, 1, b"1")],
        {SIZE},
    ),
    "GOAWAY of the wrong size": ([build_frame(frames.GOAWAY, 0, 0, b"1")], {SIZE}),
    "GOAWAY on a stream": ([head(1), build_frame(frames.GOAWAY, 0, 1, bytes(8))], {PROTOCOL}),
    "too much credit": ([build_window_update(0, 0x7FFF_FFFF)], {FLOW}),
    "no credit": ([build_window_update(0, 0)], {PROTOCOL}),
    "more padding than frame": ([head(1), build_frame(frames.DATA, frames.PADDED, 1, b"\x09ab")], {PROTOCOL}),
    "a field block of nonsense": ([build_frame(frames.HEADERS, 4, 1, b"\xff" * 8)], {COMPRESSION, PROTOCOL}),
    "a table too large": (
        [build_frame(frames.HEADERS, 4, 1, b"\x3f\xe1\xff\x03" + field_block.encode(REQUEST))],
        {COMPRESSION, PROTOCOL},
    ),
    "a list that grows as it is read": (
        [build_frame(frames.HEADERS, 4, 1, field_block.encode(REQUEST) + BOMB)],
        {CALM, COMPRESSION, PROTOCOL},
    ),
    "HEADERS behind the end of both": ([head(1, ended=True), None, head(1, TRAILERS, ended=True)], {CLOSED}),
    "DATA behind the end of both": ([head(1, ended=True), None, data(1)], {CLOSED}),
    "late DATA without credit": (
        [head(1), ErrorCode.CANCEL, *[data(1, 16 * 1024)] * (STREAM_WINDOW // (16 * 1024) + 1)],
        {FLOW},
    ),
    "DATA behind its own reset": ([head(1), build_reset(1, 8), data(1)], {CLOSED}),
}


def _say(server, said):
    for one in said:
        if one is None:
            server.respond(1, OK, ended=True)
        elif isinstance(one, ErrorCode):
            server.reset(1, one)
        else:
            server.feed(one)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("said", "codes"), FAULTS.values(), ids=FAULTS)
def test_faults_of_the_connection(codec, said, codes):
    """H2-08: it ends with a GOAWAY that says so, and whatever is done then has no effect."""
    server = build(codec)
    with pytest.raises(ConnectionFault) as raised:
        _say(server, said)
    assert raised.value.code in codes
    (*_, last) = frames.FrameReader().feed(server.take())
    assert frames.read_go_away(last)[1] == raised.value.code
    server.respond(1, OK, ended=False)
    server.send_data(1, b"x", ended=True)
    server.consume(1, 5)
    server.reset(1, ErrorCode.CANCEL)
    assert server.room(1) == server.held == server.max_streams == 0
    assert server.take() == b""
    server.close()


@pytest.mark.parametrize("codec", CODECS)
def test_what_was_said_before_a_fault_is_still_sent(codec):
    server = build(codec)
    server.feed(head(1, ended=True))
    server.respond(1, OK, ended=True)
    with pytest.raises(ConnectionFault):
        server.feed(build_frame(frames.PING, 0, 0, bytes(8)) + build_frame(frames.PING, 0, 0, b"1"))
    sent = [frame.kind for frame in frames.FrameReader().feed(server.take())]
    assert sent == [frames.HEADERS, frames.PING, frames.GOAWAY]


# What ends the stream alone, by its code.
BREACHES = {
    "DATA behind its end": ([head(1, ended=True), data(1)], CLOSED),
    "HEADERS behind its end": ([head(1, ended=True), head(1, TRAILERS, ended=True)], CLOSED),
    "trailers that do not end it": ([head(1), head(1, TRAILERS)], PROTOCOL),
    "no credit": ([head(1), build_window_update(1, 0)], PROTOCOL),
    "too much credit": ([head(1), build_window_update(1, 0x7FFF_FFFF)], FLOW),
    "DATA without credit": ([head(1), *[data(1, 16 * 1024)] * (STREAM_WINDOW // (16 * 1024) + 1)], FLOW),
}


@pytest.mark.parametrize(("said", "code"), BREACHES.values(), ids=BREACHES)
def test_faults_of_a_stream(said, code):
    """H2-08: others do not notice, nor does the state of the compression."""
    server = build("h2")
    events = server.feed(b"".join(said))
    assert events[-1] == StreamReset(1, code)
    assert server.held == 0
    resets = [frame for frame in frames.FrameReader().feed(server.take()) if frame.kind == frames.RST_STREAM]
    assert [frame.raw for frame in resets] == [build_reset(1, code)]
    assert isinstance(server.feed(head(3, ended=True))[0], RequestReceived)


CLIENT_BREACHES = {
    "DATA before the head": [data(1)],
    "a head that is no end behind a head": [head(1, OK), head(1, TRAILERS)],
    "DATA behind the end": [head(1, OK, ended=True), data(1)],
}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("said", CLIENT_BREACHES.values(), ids=CLIENT_BREACHES)
def test_faults_of_an_answer(codec, said):
    """H2-08: one answer that breaks the rules does not cost the others of the connection."""
    client = build(codec, client=True)
    client.open(REQUEST, ended=False)
    client.open(REQUEST, ended=False)
    assert isinstance(client.feed(b"".join(said))[-1], StreamReset)
    assert client.feed(head(3, OK, ended=True))


@pytest.mark.parametrize("codec", CODECS)
def test_a_stream_too_many(codec):
    """H2-09: it is refused by itself, since the peer may not know the bound yet, and is not told of."""
    server = build(codec)
    events = server.feed(b"".join(head(2 * index + 1) for index in range(105)))
    assert [event.stream_id for event in events] == [2 * index + 1 for index in range(100)]
    answer = list(frames.FrameReader().feed(server.take()))
    refused = [build_reset(2 * index + 1, ErrorCode.REFUSED_STREAM) for index in range(100, 105)]
    assert [frame.raw for frame in answer if frame.kind == frames.RST_STREAM] == refused
    server.reset(1, ErrorCode.CANCEL)
    assert isinstance(server.feed(head(301))[0], RequestReceived)


@pytest.mark.parametrize("codec", CODECS)
def test_padding_is_given_back_at_once(codec):
    server = build(codec)
    server.feed(head(1))
    padded = build_frame(frames.DATA, frames.PADDED, 1, b"\xc8" + b"ab" + bytes(200))
    assert server.feed(padded) == [DataReceived(1, b"ab", 2)]
    assert server.held == 2


@pytest.mark.parametrize("codec", CODECS)
def test_what_ended_is_consumed_still(codec):
    """H2-10: what the peer has sent counts until it is passed on, or let go."""
    server = build(codec)
    for stream_id, leave in ((1, server.consume), (3, lambda id_, _: server.reset(id_, ErrorCode.NO_ERROR))):
        server.feed(head(stream_id) + data(stream_id, 1000, ended=True))
        server.respond(stream_id, OK, ended=True)
        assert server.held == 1000
        leave(stream_id, 1000)
        assert server.held == 0


@pytest.mark.parametrize("codec", CODECS)
def test_late_data_is_no_flood(codec):
    """H2-11, H2-14: as much as there was credit for may be under way, in frames however small."""
    server = build(codec)
    server.feed(head(1))
    server.reset(1, ErrorCode.CANCEL)
    assert server.feed(data(1, 64) * (STREAM_WINDOW // 64)) == []
    assert server.held == 0
    assert isinstance(server.feed(head(3))[0], RequestReceived)


LEFT = {
    "a request": [head(1, ended=True)],
    "a reset": [head(1), build_reset(1, 8)],
    "late": [head(1), ErrorCode.CANCEL, data(1), head(1, TRAILERS, ended=True)],
    **{name: said for name, (said, _) in [*FAULTS.items(), *BREACHES.items()]},
}


@pytest.mark.parametrize("codec", CODECS)
def test_nothing_is_left(codec):
    """H2-11: all that a connection held is gone once it is closed, without the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        for said in LEFT.values():
            _live(codec, said)
        assert gc.collect() == 0
    finally:
        gc.enable()


def _live(codec, said):
    server = build(codec)
    with contextlib.suppress(ConnectionFault):
        _say(server, said)
    server.take()
    server.close()
