"""What a websocket's peer may make us keep, and for how long."""

from __future__ import annotations

import asyncio
import socket

import pytest
from websockets.frames import Close, Opcode

from proxy.websockets.allowance import MESSAGES
from tests.support.raw_websocket import SMALL, knocking

from .apps import listening

PING_DATA = b"x" * 125
SOON = 0.3  # s: a shortened limit
LATER = 5.0  # s: by then it has long been enforced
MUCH = 8 * 1024 * 1024  # bytes: far more than all buffers on the way


class Talk:
    """Accepts once ``opened`` and then echoes while ``listening``; ``code`` is the end's, once ``over``."""

    def __init__(self, keepalive=20.0):
        self.keepalive = keepalive
        self.connection = None
        self.begun, self.opened, self.listening, self.over = (asyncio.Event() for _ in range(4))
        self.opened.set()
        self.listening.set()
        self.code = None

    async def __call__(self, scope, receive, send):
        self.connection = scope["extensions"]["obo"]
        self.connection.ping_interval = self.connection.ping_timeout = self.keepalive
        await receive()
        self.begun.set()
        await self.opened.wait()
        await send({"type": "websocket.accept"})
        await self.speak(send)
        while await self.listening.wait() and (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
        self.code = message["code"]
        self.over.set()

    async def speak(self, send):
        """Before it listens."""

    @property
    def unsent(self):
        """Bytes that the peer has not taken."""
        return self.connection.transport.get_write_buffer_size()


@pytest.fixture
async def talk():
    return Talk()


def shrink(listener):
    """Small buffers in the system, so that ours matter."""
    for sock in listener._server.sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)


async def turns():
    """Until what has arrived is read."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("data", [PING_DATA, b""], ids=["full", "empty"])
async def test_a_peer_that_does_not_read_its_pongs_is_not_read(talk, data):
    """H-63, F-36: what waits is bounded, and nothing is lost once it reads."""
    async with listening(talk) as listener:
        shrink(listener)
        async with knocking(listener.address) as client:
            await client.head()
            pings = client.build(Opcode.PING, data) * 1000
            sent = await client.flood(pings, MUCH)
            assert sent < MUCH / 4
            assert talk.unsent < 128 * 1024
            end = asyncio.ensure_future(client.send(client.owed + client.build(Opcode.TEXT, b"end")))
            for _ in range(-(-sent // len(pings)) * 1000):
                await client.expect(Opcode.PONG, data)
            await client.expect(Opcode.TEXT, b"end")
            await end


async def test_a_peer_that_does_not_read_its_pongs_is_cut_in_the_end(talk):
    """F-30: by ``write_timeout``."""
    async with listening(talk, write_timeout=SOON) as listener:
        shrink(listener)
        async with knocking(listener.address) as client:
            await client.head()
            await client.flood(client.build(Opcode.PING, PING_DATA) * 100, MUCH)
            await asyncio.wait_for(talk.over.wait(), LATER)
    assert talk.code == 1006


async def test_a_peer_that_leaves_its_pongs_unread_is_missed(talk):
    """F-20: although it is not read."""
    async with listening(talk) as listener:
        shrink(listener)
        async with knocking(listener.address) as client:
            await client.head()
            await client.flood(client.build(Opcode.PING, PING_DATA) * 100, MUCH)
            client.reset()
            await asyncio.wait_for(talk.over.wait(), LATER)
    assert talk.code == 1006


class Herald(Talk):
    """Has much to say first, and hears meanwhile: ``heard``."""

    def __init__(self):
        super().__init__()
        self.heard = asyncio.Queue()

    async def __call__(self, scope, receive, send):
        self.connection = scope["extensions"]["obo"]
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": b"\0" * 60_000 * 10})
        while (message := await receive())["type"] == "websocket.receive":
            self.heard.put_nowait(message["text"])


async def test_a_peer_that_reads_slowly_may_speak():
    """H-63: messages go both ways by themselves; only behind a ping that cannot be answered they wait."""
    herald = Herald()
    async with listening(herald) as listener:
        shrink(listener)
        async with knocking(listener.address) as client:
            await client.head()
            await client.send(client.build(Opcode.TEXT, b"one"))
            assert await asyncio.wait_for(herald.heard.get(), LATER) == "one"
            assert herald.unsent > 64 * 1024
            await client.send(client.build(Opcode.PING))
            await turns()
            await client.send(client.build(Opcode.TEXT, b"two"))
            await turns()
            assert herald.heard.empty()
            await client.skip(600_000)
            assert await asyncio.wait_for(herald.heard.get(), LATER) == "two"


@pytest.mark.parametrize("data", [b"", b"ab"])
async def test_messages_that_nobody_takes_wait_as_bytes(talk, data):
    """F-36: parsed, a message without content takes more than forty times what it took on the wire."""
    talk.listening.clear()
    async with listening(talk) as listener, knocking(listener.address) as client:
        await client.head()
        messages = client.build(Opcode.BINARY, data) * 20_000
        sent = await client.flood(messages, 150_000)
        assert talk.connection.queue.qsize() < 1500
        talk.listening.set()
        end = asyncio.ensure_future(client.send(client.owed + client.build(Opcode.TEXT, b"end")))
        for _ in range(-(-sent // len(messages)) * 20_000):
            await client.expect(Opcode.BINARY, data)
        await client.expect(Opcode.TEXT, b"end")
        await end


async def test_nothing_is_answered_before_the_handshake(talk):
    """RFC 6455 §4.1: a peer that does not wait for the answer still reads that first."""
    talk.opened.clear()
    async with listening(talk) as listener, knocking(listener.address) as client:
        await talk.begun.wait()
        await client.send(client.build(Opcode.PING, b"early") + client.build(Opcode.TEXT, b"words"))
        await turns()
        talk.opened.set()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert await client.frame() == (Opcode.PONG, b"early")
        assert await client.frame() == (Opcode.TEXT, b"words")


async def test_a_head_that_is_too_long_for_the_library(talk):
    """F-30: refused; such a connection does not stay without a deadline."""
    fields = f"Connection: {'x, ' * 3000}\r\n"
    async with listening(talk) as listener, knocking(listener.address, fields=fields) as client:
        async with asyncio.timeout(LATER):
            assert (await client.head()).startswith(b"HTTP/1.1 431 ")
            await client.end()


async def test_long_extensions_are_no_matter(talk):
    """H-39: none is agreed on, however many are offered."""
    fields = f"Sec-WebSocket-Extensions: {'x, ' * 3000}\r\n"
    async with listening(talk) as listener, knocking(listener.address, fields=fields) as client:
        async with asyncio.timeout(LATER):
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")


class Murmur(Talk):
    """Says a little more than the peer takes, less than what makes a sender wait."""

    async def speak(self, send):
        while not self.unsent:
            await send({"type": "websocket.send", "bytes": b"\0" * 4096})


async def test_a_peer_that_does_not_answer_pings():
    """F-20, F-30: the application is told at once, and what is unsent holds the connection for no longer than that."""
    murmur = Murmur(keepalive=SOON)
    async with listening(murmur, write_timeout=SOON) as listener:
        shrink(listener)
        async with knocking(listener.address) as client:
            await client.head()
            await asyncio.wait_for(murmur.over.wait(), LATER)
            assert murmur.code == 1006
            await asyncio.wait_for(listener.quiet(), LATER)


async def test_a_peer_that_is_held_up_is_not_taken_for_dead():
    """H-63: its pong stands behind a message that nobody takes."""
    talk = Talk(keepalive=0.05)
    talk.listening.clear()
    async with listening(talk) as listener, knocking(listener.address) as client:
        await client.head()
        await client.send(client.build(Opcode.TEXT, b"one"))
        for _ in range(3):
            assert (await client.frame())[0] == Opcode.PING
        talk.listening.set()
        while (frame := await client.frame())[0] == Opcode.PING:
            await client.send(client.build(Opcode.PONG, frame[1]))
        assert frame == (Opcode.TEXT, b"one")


@pytest.fixture
def little_memory(monkeypatch):
    """For messages of all websockets."""
    monkeypatch.setattr(MESSAGES, "limit", 300_000)


async def begin(client, size):
    """A message of two fragments, the first of which it sends."""
    await client.head()
    await client.send(client.build(Opcode.BINARY, b"\0" * size, fin=False) + client.build(Opcode.PING))
    assert await client.frame() == (Opcode.PONG, b"")


@pytest.mark.usefixtures("little_memory")
async def test_unfinished_messages_share_an_allowance(talk):
    """F-36: whoever holds most of it gives up, told to try again later; the others go on."""
    async with (
        listening(talk) as listener,
        knocking(listener.address) as small,
        knocking(listener.address) as large,
        knocking(listener.address) as third,
    ):
        await begin(small, 10_000)
        await begin(large, 200_000)
        await begin(third, 80_000)
        await third.send(third.build(Opcode.CONT, b"\0" * 30_000, fin=False))
        opcode, data = await large.frame()
        assert (opcode, Close.parse(data).code) == (Opcode.CLOSE, 1013)
        for client in (small, third):
            await client.send(client.build(Opcode.CONT, b"end"))
        await small.skip(4 + 10_003)
        await third.skip(10 + 110_003)
    assert not MESSAGES.held


@pytest.mark.usefixtures("little_memory")
async def test_unread_messages_are_of_that_allowance():
    """F-36: whoever holds most because it does not read is cut."""
    async with listening(Herald()) as listener:
        shrink(listener)
        async with knocking(listener.address) as client:
            await client.end()
    assert not MESSAGES.held
