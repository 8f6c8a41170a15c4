"""Floods at the socket: the connection ends, others are answered meanwhile, and memory stays where it was."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

import pytest

from proxy.http2.field_block import encode
from proxy.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    MAGIC,
    PADDED,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    build_frame,
)
from tests.server.apps import answer, listening, read_body
from tests.support.http2_client import speaking

PREFACE = MAGIC + build_frame(SETTINGS, 0, 0, b"")
SHUT = MAGIC + build_frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0")  # no room for any stream
HEAD = encode([(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/")])
ENTRY = b"\x40\x03x-a\x7f\x81\x1e" + b"a" * 4000  # RFC 7541 §6.2.1: kept in the table as its first entry
MANY = 200_000  # frames: far more than any bound
GROWTH = 24 * 2**20  # bytes: by far not what was sent
SOON = 2.0  # s: within which another connection is answered, on a busy machine too
NUMBER = b"\0\0\0\1"


def opening(stream_id: int, *, ended: bool = False, block: bytes = HEAD) -> bytes:
    return build_frame(HEADERS, END_HEADERS | (END_STREAM if ended else 0), stream_id, block)


def repeated(frame: bytes, begin: bytes = PREFACE):
    """One frame over and over."""
    yield begin
    for _ in range(MANY // 100):
        yield frame * 100


def each_stream(build, begin: bytes = PREFACE):
    """What ``build`` makes of each stream in turn."""
    yield begin
    for first in range(1, 2 * MANY, 200):
        yield b"".join(build(stream_id) for stream_id in range(first, first + 200, 2))


def window(stream_id: int, number: bytes = NUMBER) -> bytes:
    return build_frame(WINDOW_UPDATE, 0, stream_id, number)


def setting(value: bytes) -> bytes:
    return build_frame(SETTINGS, 0, 0, b"\0\4" + value)


OPEN = PREFACE + opening(1)
FLOODS = {
    "rapid reset": lambda: each_stream(lambda one: opening(one) + build_frame(RST_STREAM, 0, one, NUMBER)),
    "resets that we are made to send": lambda: each_stream(lambda one: opening(one) + window(one, bytes(4))),
    "streams too many": lambda: each_stream(opening),
    "requests whose answers are not taken": lambda: each_stream(lambda one: opening(one, ended=True), SHUT),
    "faulty requests": lambda: each_stream(lambda one: opening(one, ended=True, block=b"\x82"), SHUT),
    "CONTINUATION": lambda: repeated(
        build_frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b"), PREFACE + build_frame(HEADERS, 0, 1, HEAD)
    ),
    "empty CONTINUATION": lambda: repeated(
        build_frame(CONTINUATION, 0, 1, b""), PREFACE + build_frame(HEADERS, 0, 1, HEAD)
    ),
    "fields that unfold": lambda: each_stream(
        lambda one: opening(one, ended=True, block=HEAD + (ENTRY if one == 1 else b"\xbe" * 16_000))
    ),
    "PING": lambda: repeated(build_frame(PING, 0, 0, bytes(8))),
    "SETTINGS": lambda: repeated(setting(b"\0\1\0\0")),
    "empty SETTINGS": lambda: repeated(build_frame(SETTINGS, 0, 0, b"")),
    "windows that change with many streams waiting": lambda: repeated(
        setting(b"\0\0\0\1") + setting(bytes(4)),
        SHUT + b"".join(opening(one, ended=True) for one in range(1, 200, 2)),
    ),
    "windows of a connection": lambda: repeated(window(0)),
    "windows of a stream": lambda: repeated(window(1), OPEN),
    "a window that overflows": lambda: repeated(window(1, b"\x7f\xff\xff\xff"), OPEN),
    "PRIORITY": lambda: repeated(build_frame(PRIORITY, 0, 1, bytes(5))),
    "frames that nobody knows": lambda: repeated(build_frame(0xBE, 0, 0, b"grease")),
    "empty DATA": lambda: repeated(build_frame(DATA, 0, 1, b""), OPEN),
    "DATA that is padding": lambda: repeated(build_frame(DATA, PADDED, 1, b"\x01\0"), OPEN),
    "DATA without credit": lambda: repeated(build_frame(DATA, 0, 1, bytes(16_384)), OPEN),
    "DATA of streams that are over": lambda: repeated(
        build_frame(DATA, 0, 1, b"a"), OPEN + build_frame(RST_STREAM, 0, 1, NUMBER)
    ),
    "frames too large": lambda: repeated(b"\xff\xff\xff\0\0\0\0\0\1" + bytes(16_384)),
}


async def app(scope, receive, send):
    """Answers at once by GET; else it waits, and takes nothing."""
    connection = scope["extensions"]["obo"]
    connection.on_departure(connection.cancel)
    if scope["method"] == "POST" and scope["path"] == "/":
        await asyncio.Event().wait()
    await answer(send, await read_body(receive))


def flood(address, pieces) -> bool:
    """Send until the server has had enough, and only then read; whether it has."""
    with socket.create_connection(address, timeout=5) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
            while sock.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
    return True


def memory() -> int:
    """Resident bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("pieces", FLOODS.values(), ids=FLOODS)
async def test_a_flood_ends_its_connection(pieces):
    """F-30: by each kind of frame that costs us something and brings nobody anything."""
    async with (
        listening(app, http2=True, linger_timeout=0.2) as listener,
        speaking(listener.address) as other,
    ):
        await other.get()
        before, slowest = memory(), 0.0
        flooding = asyncio.ensure_future(asyncio.to_thread(flood, listener.address, pieces()))
        while not flooding.done():
            began = time.monotonic()
            assert (await other.get()).status == 200
            slowest = max(slowest, time.monotonic() - began)
            await asyncio.wait({flooding}, timeout=0.05)
        assert await flooding
        assert slowest < SOON
        assert memory() - before < GROWTH
        async with asyncio.timeout(5):
            while listener.connections > 1 or listener._state.running:
                await asyncio.sleep(0.01)
        assert (await other.get()).status == 200
