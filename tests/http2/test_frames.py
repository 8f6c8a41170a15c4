"""Frames as bytes."""

from __future__ import annotations

import pytest

from proxy.http2.codec import ConnectionFault, ErrorCode
from proxy.http2.frames import (
    HEADER_SIZE,
    MAGIC,
    MAX_FRAME_SIZE,
    Frame,
    FrameReader,
    build_frame,
    build_go_away,
    build_settings,
    build_window_update,
    read_fragment,
    read_go_away,
)

SENT = MAGIC + build_settings({3: 100, 4: 5}) + build_frame(0, 1, 5, b"abc") + build_frame(6, 0, 0, bytes(8))


@pytest.mark.parametrize("piece", [1, 2, 9, 10, 24, 1000])
def test_however_it_is_cut(piece: int):
    reader = FrameReader(MAGIC)
    read = [frame for at in range(0, len(SENT), piece) for frame in reader.feed(SENT[at : at + piece])]
    assert [(frame.kind, frame.flags, frame.stream_id, frame.payload) for frame in read] == [
        (4, 0, 0, b"\0\3\0\0\0\x64\0\4\0\0\0\5"),
        (0, 1, 5, b"abc"),
        (6, 0, 0, bytes(8)),
    ]
    assert b"".join(frame.raw for frame in read) == SENT[len(MAGIC) :]


@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\n\r\n", MAGIC[:-1] + b"x", b"\x16\x03\x01"])
def test_another_preface(sent: bytes):
    with pytest.raises(ConnectionFault) as raised:
        list(FrameReader(MAGIC).feed(sent))
    assert raised.value.code == ErrorCode.PROTOCOL_ERROR


def test_a_frame_is_refused_as_soon_as_it_says_how_large_it_is():
    """H2-13: no more of one is kept than may come."""
    reader = FrameReader()
    assert list(reader.feed(build_frame(0, 0, 1, bytes(MAX_FRAME_SIZE))[:-1])) == []
    with pytest.raises(ConnectionFault) as raised:
        list(FrameReader().feed(build_frame(0, 0, 1, bytes(MAX_FRAME_SIZE + 1))[:HEADER_SIZE]))
    assert raised.value.code == ErrorCode.FRAME_SIZE_ERROR


def test_the_reserved_bit_is_ignored():
    (frame,) = FrameReader().feed(build_frame(0, 0, 0x8000_0001, b""))
    assert frame.stream_id == 1


def test_what_we_write():
    assert build_window_update(3, 7).hex() == "000004" + "08" + "00" + "00000003" + "00000007"
    assert build_go_away(3, 11).hex() == "000008" + "07" + "00" + "00000000" + "00000003" + "0000000b"
    (frame,) = FrameReader().feed(build_go_away(3, 11))
    assert read_go_away(frame) == (3, 11)


@pytest.mark.parametrize(
    ("kind", "flags", "payload", "fragment"),
    [
        (1, 0, b"abc", b"abc"),
        (1, 0x8, b"\2abcXX", b"abc"),
        (1, 0x20, b"PPPPPabc", b"abc"),
        (1, 0x28, b"\1PPPPPabcX", b"abc"),
        (1, 0x8, b"\0", b""),
        (9, 0x28, b"abc", b"abc"),  # CONTINUATION has neither
        (1, 0x8, b"", None),
        (1, 0x8, b"\3ab", None),
        (1, 0x20, b"PPPP", None),
        (1, 0x28, b"\1PPPPP", None),
    ],
)
def test_the_fragment_in_a_frame(kind: int, flags: int, payload: bytes, fragment: bytes | None):
    frame = Frame(kind, flags, 1, bytes(HEADER_SIZE) + payload)
    if fragment is None:
        with pytest.raises(ConnectionFault):
            read_fragment(frame)
    else:
        assert read_fragment(frame) == fragment
