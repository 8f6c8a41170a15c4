"""Floods, and what is none."""

from __future__ import annotations

import pytest

from proxy.http2 import field_block, frames
from proxy.http2.bounds import Bounds, Bucket, is_empty
from proxy.http2.codec import ConnectionFault, ErrorCode
from proxy.http2.frames import (
    Frame,
    FrameReader,
    build_frame,
    build_settings,
    build_window_update,
)
from proxy.http2.h2_codec import H2Codec
from proxy.http2.options import CodecOptions
from tests.http2.pairs import OK, REQUEST, Clock
from tests.http2.peer_frames import build_reset

BLOCK = field_block.encode(REQUEST)
BEGUN = build_frame(frames.HEADERS, frames.END_HEADERS, 1, BLOCK)


def begin() -> tuple[H2Codec, Clock]:
    clock = Clock()
    server = H2Codec(CodecOptions(client=False), clock)
    server.begin()
    server.feed(frames.MAGIC + build_settings({}))
    server.take()
    return server, clock


def reset(index: int) -> bytes:
    stream_id = 2 * index + 1
    return build_frame(frames.HEADERS, frames.END_HEADERS, stream_id, BLOCK) + build_reset(stream_id, 8)


def refuse(index: int) -> bytes:
    """Opens a stream, and makes us reset it (CVE-2025-8671)."""
    stream_id = 2 * index + 1
    head = build_frame(frames.HEADERS, frames.END_HEADERS, stream_id, BLOCK)
    return head + build_window_update(stream_id, 0)


# What comes first, what comes again and again, and how often it may; SETTINGS came once.
FLOODS = {
    "rapid reset": (b"", reset, 200),
    "resets that we are made to send": (b"", refuse, 200),
    "PING": (b"", lambda _: build_frame(frames.PING, 0, 0, bytes(8)), 999),
    "PING acknowledged": (b"", lambda _: build_frame(frames.PING, frames.ACK, 0, bytes(8)), 999),
    "SETTINGS": (b"", lambda _: build_settings({}), 999),
    "SETTINGS acknowledged": (b"", lambda _: build_frame(frames.SETTINGS, frames.ACK, 0, b""), 999),
    "PRIORITY": (b"", lambda index: build_frame(frames.PRIORITY, 0, 2 * index + 1, bytes(4) + b"\1"), 999),
    "GOAWAY": (b"", lambda _: build_frame(frames.GOAWAY, 0, 0, bytes(8)), 999),
    "unknown frames": (b"", lambda _: build_frame(0xFA, 0, 0, b""), 999),
    "empty DATA": (BEGUN, lambda _: build_frame(frames.DATA, 0, 1, b""), 100),
    "DATA of padding": (BEGUN, lambda _: build_frame(frames.DATA, frames.PADDED, 1, b"\x09" + bytes(9)), 100),
    "WINDOW_UPDATE": (b"", lambda _: build_window_update(0, 1), 1000),
    "WINDOW_UPDATE of a stream": (BEGUN, lambda _: build_window_update(1, 1), 1000),
    "RST_STREAM behind the end": (BEGUN + build_reset(1, 8), lambda _: build_reset(1, 8), 999),
    "CONTINUATION of nothing": (
        build_frame(frames.HEADERS, 0, 1, BLOCK),
        lambda _: build_frame(frames.CONTINUATION, 0, 1, b""),
        7,
    ),
    "CONTINUATION": (
        build_frame(frames.HEADERS, 0, 1, BLOCK),
        lambda _: build_frame(frames.CONTINUATION, 0, 1, bytes(frames.MAX_FRAME_SIZE)),
        7,
    ),
    "many settings": (b"", lambda _: build_settings(dict.fromkeys(range(0x100, 0x100 + 33), 0)), 0),
}


@pytest.mark.parametrize(("first", "again", "often"), FLOODS.values(), ids=FLOODS)
def test_floods(first, again, often):
    """H2-12, H2-13: so much goes, and one more ends the connection with ENHANCE_YOUR_CALM; answers are no longer."""
    server, _ = begin()
    server.feed(first)
    server.take()
    said = b"".join(again(index) for index in range(often))
    server.feed(said)
    assert len(server.take()) <= 2 * len(said)
    with pytest.raises(ConnectionFault) as raised:
        server.feed(again(often) + again(often + 1))
    assert raised.value.code == ErrorCode.ENHANCE_YOUR_CALM


def test_resets_by_our_hand_for_the_peers_fault():
    """H2-12: whoever makes us reset streams, whatever rule it breaks, is bounded as one who resets them itself."""
    server, _ = begin()
    for index in range(201):
        server.feed(build_frame(frames.HEADERS, frames.END_HEADERS, 2 * index + 1, BLOCK))
        server.reset(2 * index + 1, ErrorCode.PROTOCOL_ERROR)
    with pytest.raises(ConnectionFault) as raised:
        server.feed(build_frame(frames.PING, 0, 0, bytes(8)))
    assert raised.value.code == ErrorCode.ENHANCE_YOUR_CALM


def test_what_is_no_flood():
    """H2-14: calls that end regularly go on for ever, with all that clients say beside them."""
    server, _ = begin()
    beside = build_frame(frames.PING, 0, 0, bytes(8)) + 2 * build_window_update(0, 100)
    for index in range(1500):
        stream_id = 2 * index + 1
        server.feed(build_frame(frames.HEADERS, frames.END_HEADERS, stream_id, BLOCK))
        server.feed(build_frame(frames.DATA, frames.END_STREAM, stream_id, b"a"))
        server.consume(stream_id, 1)
        server.respond(stream_id, OK, ended=False)
        server.send_data(stream_id, b"b", ended=True)
        server.take()
        server.feed(beside + build_reset(stream_id, 0))


def test_cancelled_calls_are_no_flood():
    """H2-14: every other call may be cancelled, and any at a moderate rate."""
    server, clock = begin()
    for index in range(1000):
        server.feed(reset(2 * index))
        stream_id = 4 * index + 3
        server.feed(build_frame(frames.HEADERS, 5, stream_id, BLOCK))
        server.respond(stream_id, OK, ended=True)
    for index in range(2000, 3000):
        clock.now += 1 / 33
        server.feed(reset(index))


def test_a_bucket_fills_with_time():
    clock = Clock()
    bucket = Bucket(2, 0.5, clock())
    assert [bucket.take(clock) for _ in range(3)] == [True, True, False]
    clock.now += 4
    assert [bucket.take(clock) for _ in range(2)] == [True, False]
    bucket.earn(100)
    assert [bucket.take(clock) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("flags", "payload", "empty"),
    [
        (0, b"", True),
        (0, b"a", False),
        (frames.END_STREAM, b"", False),
        (frames.PADDED, b"\x02ab", True),
        (frames.PADDED, b"\x01ab", False),
        (frames.PADDED, b"\0", True),
        (frames.PADDED, b"", True),
        (frames.PADDED | frames.END_STREAM, b"\0", False),
    ],
)
def test_empty_data(flags, payload, empty):
    (frame,) = FrameReader().feed(build_frame(frames.DATA, flags, 1, payload))
    assert is_empty(frame) is empty


def test_a_block_that_fits_is_no_flood():
    """H2-13: as many bytes as a list may have, in frames of any usual size."""
    bounds = Bounds(128 * 1024, Clock())
    piece = bytes(frames.MAX_FRAME_SIZE)
    for index in range(8):
        kind = frames.CONTINUATION if index else frames.HEADERS
        bounds.check(Frame(kind, 4 if index == 7 else 0, 1, bytes(9) + piece))
    bounds.check(Frame(frames.PING, 0, 0, bytes(17)))
