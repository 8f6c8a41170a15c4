"""Target: whole connections to the server's protocol, which take no memory and no work out of proportion.

An input is a short program (``build`` makes one). Its first byte chooses what the application does, whether the
peer reads, into what pieces the rest is cut, and whether a read ends with the first head, as it must before a
websocket's frames. In the rest, ``\\xfe`` and a byte repeat what stands between them and the last such pair, two to
the power of that byte's times.
"""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import tracemalloc
from collections.abc import Iterator
from typing import Any

from proxy.config.models import Listen
from proxy.server.limits import Limits
from proxy.server.listener import Listener
from proxy.server.protocol import HttpProtocol

MOST = 512 * 1024  # bytes that one connection sends
READS = 512
HIGH_WATER = 64 * 1024  # bytes that a peer leaves unread before the transport asks for a pause
HELD = (
    256 * 1024
)  # bytes: a head as it comes and as it is understood, a body's beginning, what is left unread
COPIES = 4  # of what is read at once, and of what a websocket has sent, which may be one message
OBJECTS = (
    32  # bytes taken in passing for a byte that is read: the shortest field has six, and takes two objects
)
TURNS = 64  # of the loop, for a pause in reading to end
_PIECES = (1, 7, 64, 509, 1024, 4096, 16 * 1024, 64 * 1024)
_REPEATED = re.compile(rb"\xfe(.)", re.DOTALL)


def hold_little(data: bytes) -> None:
    """What a connection holds after each read, and what the read takes meanwhile, is bounded; nothing is raised."""
    if not data:
        return
    gc.disable()
    tracemalloc.start()
    try:
        asyncio.run(_talk(data[0], expand(data[1:])))
    finally:
        tracemalloc.stop()
        gc.enable()


def expand(program: bytes) -> bytes:
    """What it sends, at most ``MOST`` bytes."""
    *repeated, last = _REPEATED.split(program)
    sent = bytearray()
    for piece, times in zip(repeated[::2], repeated[1::2], strict=True):
        room = (MOST - len(sent)) // max(1, len(piece))
        sent += piece * min(2 ** (times[0] % 32), room)
    return bytes(sent + last)[:MOST]


def build(
    program: bytes, *, does: int = 0, reads: bool = True, piece: int = 4096, head: bool = False
) -> bytes:
    """An input; ``does`` is the application's behaviour, ``head`` whether a read ends with the first head."""
    return bytes([does | (not reads) << 2 | _PIECES.index(piece) << 3 | head << 6]) + program


def cut(choice: int, sent: bytes) -> Iterator[bytes]:
    """The reads."""
    start = sent.find(b"\r\n\r\n") + 4 if choice & 64 else 0
    if start:
        yield sent[:start]
    size = _PIECES[choice >> 3 & 7]
    for at in range(start, min(len(sent), size * READS), size):
        yield sent[at : at + size]


async def _talk(choice: int, sent: bytes) -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    listener = Listener(Application(choice & 3), Limits.of(Listen()))
    transport = Transport(listener._accept(), is_read=not choice & 4)
    before, _ = tracemalloc.get_traced_memory()
    read = 0
    for piece in cut(choice, sent):
        if not await transport.reads():
            break
        tracemalloc.reset_peak()
        start, _ = tracemalloc.get_traced_memory()
        transport.protocol.data_received(piece)
        held, peak = tracemalloc.get_traced_memory()
        read += len(piece)
        allowed = HELD + COPIES * (read if transport.is_handed_over else len(piece))
        assert held - before <= allowed, f"{held - before} bytes are held of {read}"
        allowed += OBJECTS * len(piece)
        assert peak - start <= allowed, (
            f"{peak - start} bytes are taken by a read of {len(piece)} after {read}"
        )
    transport.lose()
    await transport.reads()
    assert not faults, faults


class Application:
    """Echoes (0), answers unasked (1), does nothing at all (2), or begins an answer and does nothing more (3)."""

    def __init__(self, behaviour: int) -> None:
        self._behaviour = behaviour

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._behaviour == 2:
            await asyncio.Event().wait()
        elif scope["type"] == "websocket":
            await self._talk(receive, send)
        else:
            await self._answer(receive, send)

    async def _answer(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = self._behaviour != 1
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            if self._behaviour == 3:
                await asyncio.Event().wait()
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _talk(self, receive: Any, send: Any) -> None:
        await receive()
        if self._behaviour == 1:
            await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b"no"})
            return
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            if self._behaviour == 3:
                await asyncio.Event().wait()
            text, data = message.get("text"), message.get("bytes")
            await send({"type": "websocket.send", "text": text, "bytes": data})


class Transport(asyncio.Transport):
    """The server's side of a connection whose peer reads all, or else nothing."""

    def __init__(self, protocol: asyncio.Protocol, *, is_read: bool) -> None:
        super().__init__()
        self.protocol = protocol
        self._is_read = is_read
        self._unread = bytearray()
        self._socket = socket.socket(socket.AF_UNIX)  # for what is asked of it; nothing passes through
        self._paused = self._closing = self._lost = False
        protocol.connection_made(self)

    @property
    def is_handed_over(self) -> bool:
        """Whether it has become a websocket."""
        return not isinstance(self.protocol, HttpProtocol)

    async def reads(self) -> bool:
        """Whether more is read, now or soon."""
        for turn in range(TURNS):
            if turn > 2 and not self._paused:
                break
            await asyncio.sleep(0)
        return not (self._paused or self._closing)

    def lose(self) -> None:
        if not self._lost:
            self._lost = self._closing = True
            self._socket.close()
            self.protocol.connection_lost(None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._socket if name == "socket" else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_read or self._lost:
            return
        below = len(self._unread) <= HIGH_WATER
        self._unread += data
        if below and len(self._unread) > HIGH_WATER:
            self.protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        return len(self._unread)

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        if not self._unread:
            asyncio.get_running_loop().call_soon(self.lose)

    def abort(self) -> None:
        self._closing = True
        asyncio.get_running_loop().call_soon(self.lose)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Nothing is heard of it here."""

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
