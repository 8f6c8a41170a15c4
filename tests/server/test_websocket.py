"""A websocket behind the same checks as every request."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.raw_client import connected

from .apps import listening
from .messages import get

HANDSHAKE = (
    b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket", b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip


class Echo:
    """Accepts with the last subprotocol offered and sends back what comes; ``/no`` is refused."""

    def __init__(self):
        self.scopes = []
        self.over = asyncio.Event()
        self.code = None

    async def __call__(self, scope, receive, send):
        self.scopes.append(scope)
        assert (await receive())["type"] == "websocket.connect"
        if scope["path"] == "/no":
            await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x", b"y")]})
            await send({"type": "websocket.http.response.body", "body": b"no"})
            return
        subprotocols = scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": subprotocols[-1] if subprotocols else None})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
        self.code = message["code"]
        self.over.set()


@pytest.fixture
async def echo():
    return Echo()


async def test_messages_pass_and_the_scope_has_the_whole_head(echo):
    """H-60, H-61, H-39: fields longer than the websocket library takes reach the application."""
    token = "a" * 12_000
    async with listening(echo) as listener:
        url = "ws://{}:{}/chat%20room?q=1".format(*listener.address)
        headers = {"Authorization": "Bearer " + token}
        async with connect(
            url, additional_headers=headers, subprotocols=["base64url.x", "chat"], proxy=None
        ) as client:
            assert client.subprotocol == "chat"
            for message in ("text", b"bytes", "é" * 100_000):
                await client.send(message)
                assert await client.recv() == message
            await client.send(["in ", "two"])
            assert await client.recv() == "in two"
    [scope] = echo.scopes
    assert (scope["type"], scope["path"], scope["raw_path"]) == ("websocket", "/chat room", b"/chat%20room")
    assert scope["query_string"] == b"q=1"
    assert (b"authorization", b"Bearer " + token.encode()) in scope["headers"]
    assert scope["subprotocols"] == ["base64url.x", "chat"]
    assert echo.code == 1000


async def test_a_handshake_may_be_refused_with_a_body(echo):
    """H-60: an HTTP answer instead of an accepted and closed websocket."""
    async with listening(echo) as listener:
        with pytest.raises(InvalidStatus) as refusal:
            await connect("ws://{}:{}/no".format(*listener.address), proxy=None)
    assert (refusal.value.response.status_code, refusal.value.response.body) == (401, b"no")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get(b"GET / HTTP/1.1", *HANDSHAKE, b"Host: other"), 400),
        (get(b"GET /#a HTTP/1.1", *HANDSHAKE), 400),
        (get(b"GET / HTTP/1.1", *HANDSHAKE[:2]), 400),
    ],
    ids=["two Hosts", "fragment", "no key"],
)
async def test_a_faulty_handshake_is_refused(echo, request_bytes, status):
    """H-60, H-05: as any other request."""
    async with listening(echo) as listener, connected(listener.address) as client:
        await client.send(request_bytes)
        assert (await client.response()).status == status
    assert echo.scopes == []


async def test_text_that_is_none_closes_without_a_traceback(echo, caplog):
    """H-63, F-38: 1007."""
    async with (
        listening(echo) as listener,
        connect("ws://{}:{}/".format(*listener.address), proxy=None) as client,
    ):
        await client.send(b"\xff", text=True)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd.code == 1007
    assert "Traceback" not in caplog.text


async def test_a_drain_says_going_away(echo):
    """F-34: 1001, and the application is told."""
    async with (
        listening(echo) as listener,
        connect("ws://{}:{}/".format(*listener.address), proxy=None) as client,
    ):
        listener.announce_end()
        listener.stop()
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        async with asyncio.timeout(5):
            await echo.over.wait()
            await listener.quiet()
    assert closed.value.rcvd.code == 1001
    assert echo.code == 1001
