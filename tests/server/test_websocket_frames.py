"""A websocket's handshake, pings and end, by what the application says."""

from __future__ import annotations

import asyncio

import pytest
from websockets.frames import Close, Opcode

from proxy.server.websocket_frames import ClientDisconnected
from tests.support.raw_websocket import knocking

from .apps import listening

SOON = 0.05  # s: a shortened period
ACCEPT = {"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"x-a", b"1"), (b"X-B", b"2")]}
TEXT = {"type": "websocket.send", "text": "hello"}
CLOSE = {"type": "websocket.close"}


class Says:
    """Says its messages; ``failure`` is what came of the last one."""

    def __init__(self, *messages):
        self.messages = messages
        self.scope = self.failure = None
        self.heard = []
        self.period = 20.0
        self.over = asyncio.Event()

    async def __call__(self, scope, receive, send):
        self.scope = scope
        connection = scope["extensions"]["obo"]
        connection.ping_interval = connection.ping_timeout = self.period
        self.heard.append(await receive())
        try:
            for message in self.messages:
                await send(message)
            while self.heard[-1]["type"] != "websocket.disconnect":
                self.heard.append(await receive())
            await send(TEXT)
        except ClientDisconnected as error:
            self.failure = error
        self.over.set()


@pytest.mark.parametrize(
    ("message", "status", "field"),
    [
        (ACCEPT, b"101 Switching Protocols", b"\r\nsec-websocket-protocol: chat\r\n"),
        (ACCEPT, b"101 Switching Protocols", b"\r\nx-b: 2\r\n"),
        (CLOSE, b"403 Forbidden", b"\r\nconnection: close\r\n"),
    ],
)
async def test_the_handshake_is_answered(message, status, field):
    """RFC 6455 §4.2.2, with what the application adds."""
    app = Says(message)
    async with listening(app) as listener, knocking(listener.address) as client:
        head = await client.head()
    assert head.startswith(b"HTTP/1.1 " + status)
    assert field in head.lower()
    assert (app.scope["scheme"], app.scope["client"][0], app.heard[0]) == (
        "ws",
        "127.0.0.1",
        {"type": "websocket.connect"},
    )


async def test_a_message_before_the_handshake_is_answered_is_none():
    """It fails where it is said, and the peer gets an answer."""
    app = Says(TEXT)
    async with listening(app) as listener, knocking(listener.address) as client:
        assert (await client.head()).startswith(b"HTTP/1.1 500 ")
    assert not app.over.is_set()


async def test_whoever_has_closed_is_told_nothing_more():
    """The close is answered and told of with its code; what is said after it fails."""
    app = Says(ACCEPT, TEXT)
    async with listening(app) as listener, knocking(listener.address) as client:
        await client.head()
        await client.expect(Opcode.TEXT, b"hello")
        close = Close(4000, "done").serialize()
        await client.send(client.build(Opcode.PING, b"a") + client.build(Opcode.CLOSE, close))
        await client.expect(Opcode.PONG, b"a")
        await client.expect(Opcode.CLOSE, close)
        await client.end()
        await app.over.wait()
    assert app.heard[-1] == {"type": "websocket.disconnect", "code": 4000, "reason": "done"}
    assert isinstance(app.failure, ClientDisconnected)


async def test_a_peer_that_answers_is_asked_again_and_one_that_does_not_is_let_go():
    """RFC 6455 §5.5.2: an answer to another question is none."""
    app = Says(ACCEPT)
    app.period = SOON
    async with listening(app) as listener, knocking(listener.address) as client:
        await client.head()
        questions = set()
        for _ in range(3):
            opcode, data = await client.frame()
            assert opcode is Opcode.PING
            questions.add(data)
            await client.send(client.build(Opcode.PONG, data))
        _, data = await client.frame()
        await client.send(client.build(Opcode.PONG, b"another"))
        assert await client.frame() == (Opcode.CLOSE, Close(1011, "keepalive ping timeout").serialize())
        await app.over.wait()
    assert len(questions | {data}) == 4
    assert app.heard[-1]["code"] == 1006
