"""Who does not take what waits for them is cut; who takes it slowly, or has nothing to take, is not."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress

import pytest

from .apps import answer, listening
from .messages import get
from .test_websocket import HANDSHAKE

GET = get(b"GET / HTTP/1.1")
UPGRADE = get(b"GET / HTTP/1.1", *HANDSHAKE)
FAULTY = UPGRADE.replace(b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: =")
BLOCK = b"a" * 65536
WINDOW = 0.7  # s: a shortened write timeout
RATE = 128 * 1024  # bytes/s that are asked for


class Endless:
    """Sends blocks, over HTTP or a websocket, until its peer has left: then ``over`` is set."""

    def __init__(self):
        self.over = asyncio.Event()

    async def __call__(self, scope, receive, send):
        scope["extensions"]["obo"].on_departure(self.over.set)
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            message = {"type": "websocket.send", "bytes": BLOCK}
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            message = {"type": "http.response.body", "body": BLOCK, "more_body": True}
        with suppress(OSError):
            while not self.over.is_set():
                await send(message)


def shrink(sock: socket.socket, option: int) -> None:
    """Let the kernel keep as little as it may, so that what is taken shows at once."""
    sock.setsockopt(socket.SOL_SOCKET, option, 1)


async def read_slowly(listener, request: bytes, rate: float, seconds: float, *, small: bool) -> bool:
    """Whether the connection still stands after ``seconds`` of reading ``rate`` bytes in each."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        if small:
            with socket.socket(fileno=os.dup(listener._server.sockets[0].fileno())) as theirs:
                shrink(theirs, socket.SO_SNDBUF)
            shrink(sock, socket.SO_RCVBUF)
        sock.setblocking(False)
        await loop.sock_connect(sock, listener.address)
        await loop.sock_sendall(sock, request)
        began, taken = time.monotonic(), 0
        try:
            while (passed := time.monotonic() - began) < seconds:
                if (due := int(rate * passed) - taken) > 0:
                    taken += len(piece := await loop.sock_recv(sock, due))
                    if not piece:
                        return False
                await asyncio.sleep(0.02)
        except ConnectionResetError:
            return False
    return True


@pytest.mark.parametrize("request_bytes", [GET, UPGRADE], ids=["response", "websocket"])
async def test_who_trickles_is_cut(request_bytes: bytes):
    """F-23, F-30: a byte now and then is not enough while data waits."""
    endless = Endless()
    async with listening(endless, write_timeout=WINDOW, least_rate=RATE) as listener:
        assert not await read_slowly(listener, request_bytes, RATE / 4, 20 * WINDOW, small=True)
        async with asyncio.timeout(5):
            await endless.over.wait()


@pytest.mark.parametrize("request_bytes", [GET, UPGRADE], ids=["response", "websocket"])
async def test_who_reads_at_the_rate_is_not_cut(request_bytes: bytes):
    """F-23: also where the kernel has megabytes to send and does not say how it gets on."""
    async with listening(Endless(), write_timeout=WINDOW, least_rate=RATE) as listener:
        assert await read_slowly(listener, request_bytes, RATE * 4, 3 * WINDOW, small=False)


async def test_who_waits_for_events_is_not_cut():
    """H-65: time in which nothing waits for the peer does not count, however long a stream lasts."""
    events = [b"data: %d\n\n" % number for number in range(6)]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for event in events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
            await asyncio.sleep(0.15)
        await send({"type": "http.response.body", "body": b""})

    async with listening(app, write_timeout=0.05, least_rate=10**9) as listener:
        reader, writer = await asyncio.open_connection(*listener.address)
        writer.write(GET)
        async with asyncio.timeout(10):
            received = await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()
    assert all(event in received for event in events)


class AfterResponse(Endless):
    """Behind a response of ``size`` bytes a websocket, on which ``sent`` blocks have gone out."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size
        self.answered = False
        self.sent = 0

    async def __call__(self, scope, receive, send):
        async def count(message):
            await send(message)
            self.sent += message.get("bytes") is BLOCK

        if scope["type"] == "http":
            await answer(send, bytes(self.size))
            self.answered = True
        else:
            await super().__call__(scope, receive, count)


@pytest.mark.parametrize("size", [200_000, 1 << 20], ids=["little waits", "much waits"])
@pytest.mark.parametrize("request_bytes", [FAULTY, UPGRADE], ids=["refused", "accepted"])
async def test_a_websocket_behind_a_response_that_nobody_takes(request_bytes: bytes, size: int):
    """F-23: what waits from before counts: it is written on no further, and ends."""
    app = AfterResponse(size)
    async with listening(app, write_timeout=WINDOW, least_rate=RATE) as listener:
        with socket.socket() as sock:
            with socket.socket(fileno=os.dup(listener._server.sockets[0].fileno())) as theirs:
                shrink(theirs, socket.SO_SNDBUF)
            shrink(sock, socket.SO_RCVBUF)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, listener.address)
            await loop.sock_sendall(sock, GET + request_bytes)
            async with asyncio.timeout(15):
                while not app.answered or listener._state.connections:
                    await asyncio.sleep(0.02)
    assert app.sent <= 2
