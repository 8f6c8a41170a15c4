"""Targets: whole HTTP/2 connections to either side of both codecs, which must agree on what was said.

An input is a program. Its first byte chooses into what pieces what it sends is cut; then come steps: a byte that
chooses the step, one that chooses the stream, one that chooses among what the step can be, and for some a payload
behind its length. ``run`` plays it to one codec, and returns what it was told.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from typing import NamedTuple

from proxy.errors import ProxyError
from proxy.http.headers import Field
from proxy.http2 import field_block, frames
from proxy.http2.codec import (
    ConnectionFault,
    DataReceived,
    ErrorCode,
    Event,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from proxy.http2.frame_codec import FrameCodec
from proxy.http2.h2_codec import H2Codec
from proxy.http2.messages import Request, read_request, read_response, read_trailers
from proxy.http2.options import CodecOptions
from tests.http2.peer_frames import build_block
from tests.http2.test_messages import LIMITS, OFFERED, PSEUDO_FIELDS
from tests.http2.zttp_codec import ZttpCodec

MOST_STEPS = 256
MOST = 256 * 1024  # bytes that are sent without a step of the user's in between
HELD = 512 * 1024  # bytes: what a connection holds without any stream, its tables, and a head in two forms
COPIES = 4  # of what is read at once
ANSWER = 3  # bytes for a byte: RST_STREAM (13) for the smallest frame (9), and a WINDOW_UPDATE
_PIECES = (1, 9, 64, 1024, 16 * 1024, 256 * 1024)
_KINDS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xA, 0xC, 0x10, 0xFA)
_STREAMS = (1, 3, 5, 7, 0, 2, 9, 0x7FFF_FFFF)
_HIDDEN = {"the scheme is neither http nor https", "more than one host"}  # by zttp, which shows neither
_OK = [(b":status", b"200")]
_BLOCKS: tuple[list[Field], ...] = (
    PSEUDO_FIELDS,
    _OK,
    [(b"grpc-status", b"0")],
    *OFFERED,
    [(b":status", b"103")],
    [(b":status", b"204"), (b"content-length", b"0")],
    [*_OK, (b"a", b"b\r\nc: d")],
)


class Told(NamedTuple):
    """What arrived, by stream: a sound head or why it is refused, the body, the end; and how the connection fared."""

    heads: dict[int, object]
    bodies: dict[int, bytes]
    ends: dict[int, object]
    resets: set[int]
    fault: bool


def serve(program: bytes) -> None:
    """What callers send."""
    compare(program, client=False)


def ask(program: bytes) -> None:
    """What APIs answer."""
    compare(program, client=True)


def compare(program: bytes, *, client: bool) -> None:
    """Neither codec raises or takes out of proportion; both tell the same, but for what one refuses earlier."""
    told = [run(codec, program, client=client) for codec in (H2Codec, ZttpCodec)]
    agree(*told)


def agree(one: Told, other: Told) -> None:
    """Where both take a head for sound, it is the same one, with the same body and end.

    Our rules judge what h2 lets pass; zttp has rules of its own, which may be stricter, and laxer only in ``_HIDDEN``.
    """
    for stream_id in one.heads.keys() & other.heads.keys():
        first, second = one.heads[stream_id], other.heads[stream_id]
        if isinstance(first, str) or isinstance(second, str):
            assert isinstance(second, str) or first in _HIDDEN, first
            continue
        assert first == second
        bodies = one.bodies.get(stream_id, b""), other.bodies.get(stream_id, b"")
        assert bodies[0].startswith(bodies[1]) or bodies[1].startswith(bodies[0])
        ends = one.ends.get(stream_id), other.ends.get(stream_id)
        if None not in ends:
            assert ends[0] == ends[1]
            assert bodies[0] == bodies[1]
    if not one.fault:
        assert one.heads.keys() >= other.heads.keys()


def run(make: type[FrameCodec], program: bytes, *, client: bool) -> Told:
    codec = make(CodecOptions(client=client), lambda: 0.0)
    told = Told({}, {}, {}, set(), fault=False)
    codec.begin()
    codec.take()
    if client:
        for ended in (True, False, True, False):
            codec.open(PSEUDO_FIELDS, ended=ended)
        codec.take()
    gc.disable()  # what is let go must be gone by itself
    tracemalloc.start()
    try:
        _play(codec, program, told)
    except ConnectionFault:
        assert codec.take()
        told = told._replace(fault=True)
    finally:
        tracemalloc.stop()
        gc.enable()
        codec.close()
    return told


def _play(codec: FrameCodec, program: bytes, told: Told) -> None:
    piece = _PIECES[program[0] % len(_PIECES)] if program else 1
    before, _ = tracemalloc.get_traced_memory()
    sent = b"" if codec._options.client else frames.MAGIC
    sent += frames.build_settings({})
    for step in _steps(program[1:], codec):
        if isinstance(step, bytes) and len(sent) < MOST:
            sent += step
            continue
        _feed(codec, sent, piece, told, before)
        sent = step if isinstance(step, bytes) else b""
        if not sent:
            _act(codec, *step)
    _feed(codec, sent, piece, told, before)


def _feed(codec: FrameCodec, sent: bytes, piece: int, told: Told, before: int) -> None:
    codec.take()
    for at in range(0, len(sent), piece):
        read = sent[at : at + piece]
        tracemalloc.reset_peak()
        start, _ = tracemalloc.get_traced_memory()
        for event in codec.feed(read):
            _note(event, told)
        written = len(codec.take())
        held, peak = tracemalloc.get_traced_memory()
        assert codec.held <= codec._options.max_held
        assert len(codec._streams) <= codec._options.max_streams
        assert written <= ANSWER * len(read) + 64 * 1024, f"{written} bytes in answer to {len(read)}"
        kept = len(sent) + sum(map(len, told.bodies.values()))  # by us
        assert held - before - kept <= HELD + COPIES * len(read), f"{held - before} bytes are held"
        assert peak - start <= HELD + 64 * len(read), (
            f"{peak - start} bytes are taken by a read of {len(read)}"
        )


def _note(event: Event, told: Told) -> None:
    match event:
        case RequestReceived():
            request = _read(lambda: read_request(event.fields, LIMITS, ended=event.ended))
            sound = isinstance(request, Request)
            told.heads[event.stream_id] = (
                (request.method, request.target, request.headers) if sound else request
            )
        case ResponseReceived():
            told.heads[event.stream_id] = _read(lambda: read_response(event.fields, LIMITS))
        case DataReceived():
            told.bodies[event.stream_id] = told.bodies.get(event.stream_id, b"") + event.data
        case StreamEnded():
            told.ends[event.stream_id] = _read(lambda: read_trailers(event.trailers, LIMITS))
        case StreamReset():
            told.resets.add(event.stream_id)
        case _:
            return
    if isinstance(event, RequestReceived | ResponseReceived) and event.ended:
        told.ends[event.stream_id] = []


def _read(read):
    try:
        return read()
    except ProxyError as error:
        return str(error)


def _steps(program: bytes, codec: FrameCodec) -> Iterator[bytes | tuple[int, int]]:
    at = 0
    for _ in range(MOST_STEPS):
        if at + 3 > len(program):
            return
        step, stream, choice = program[at : at + 3]
        at += 3
        stream_id = _STREAMS[stream % len(_STREAMS)]
        if step % 8 < 3:  # any frame
            size = program[at] if at < len(program) else 0
            payload = program[at + 1 : at + 1 + size]
            at += 1 + size
            times = 1 << (step >> 3) % 12 if stream & 0x80 else 1
            frame = frames.build_frame(
                _KINDS[choice % len(_KINDS)], step >> 3 | stream & 0x20, stream_id, payload
            )
            yield frame * times
        elif step % 8 < 6:  # a field block
            block = field_block.encode(_BLOCKS[choice % len(_BLOCKS)])
            yield build_block(stream_id, block, ended=bool(step & 0x10))
        elif step % 8 == 6:  # DATA of some size
            yield frames.build_frame(frames.DATA, step >> 7, stream_id, bytes(choice * 64))
        else:
            yield choice, stream_id


def _act(codec: FrameCodec, choice: int, stream_id: int) -> None:
    """What the codec's user does."""
    match choice % 8:
        case 0:
            codec.consume(stream_id, choice << 8)
        case 1 if not codec._options.client:
            codec.respond(stream_id, _OK, ended=choice > 127)
        case 2:
            codec.reset(stream_id, ErrorCode.CANCEL)
        case 3:
            codec.send_trailers(stream_id, [(b"a", b"b")])
        case 4:
            codec.go_away(final=choice > 127)
        case _:
            codec.send_data(stream_id, bytes(codec.room(stream_id)), ended=choice > 127)


def _block(block: int, stream: int = 0, *, ended: bool = False) -> bytes:
    return bytes([3 | ended << 4, stream, block])


def _frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0, times: int = 1) -> bytes:
    """``flags`` of the lower five bits, ``times`` a power of two."""
    step = (times.bit_length() - 1 if times > 1 else flags) << 3
    return bytes([step & 0xFF, stream | (0x80 if times > 1 else 0), kind, len(payload)]) + payload


_HEAD = _block(0)
_END = _block(2, ended=True)
SEEDS = [
    b"",
    *(bytes([5]) + _block(block, ended=ended) for block in range(len(_BLOCKS)) for ended in (False, True)),
    bytes([5]) + _HEAD + bytes([6, 0, 200]) + bytes([7, 0, 0x20]) + _END + bytes([7, 0, 129]),
    bytes([0]) + _HEAD + _frame(0, b"hello", flags=frames.END_STREAM) + bytes([7, 0, 1]) + bytes([7, 0, 133]),
    bytes([5]) + _HEAD + bytes([7, 0, 2]) + bytes([6, 0, 9]) + _END + _block(0, 1, ended=True),
    bytes([5]) + _HEAD + bytes([7, 0, 132]) + _block(0, 1) + _frame(7, bytes(8), stream=4) + _END,
    *(bytes([5]) + _HEAD + _frame(kind, bytes(size), times=2048) for kind in range(10) for size in (0, 4, 8)),
    bytes([5]) + _HEAD + _frame(8, b"\x7f\xff\xff\xff") + _frame(8, b"\x7f\xff\xff\xff", stream=4),
    bytes([5])
    + _frame(1, b"\x82\x87\x84\x41\x01a\x40\x01b\x7f\x81\x01" + b"x" * 200)
    + _frame(9, b"\xbe" * 255),
    bytes([1]) + _frame(4, b"\0\4\0\0\0\0", stream=4) + _HEAD + bytes([7, 0, 1, 7, 0, 5]),
]
