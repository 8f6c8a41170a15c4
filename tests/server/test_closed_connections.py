"""A connection that has ended leaves nothing behind that would wait for the garbage collector."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from contextlib import suppress
from enum import Enum, auto

import pytest

from proxy.config.models import ListenTLS
from proxy.demo import Demo
from tests.support.certificates import Authority
from tests.support.leftovers import leftovers
from tests.support.proxy import running

from .apps import answer, listening, read_body
from .messages import chunked, get, post

GET = get(b"GET / HTTP/1.1")
SOON = 0.2  # s: a shortened limit
WEBSOCKET = (
    b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip


class Until(Enum):
    """What a visitor waits for."""

    ANSWER = auto()  # the first bytes of one
    END = auto()  # the server's
    NOTHING = auto()


ANSWER, END, NOTHING = Until


async def app(scope, receive, send):
    """Answers with the body; by path: fails, or begins a response and waits for its cancellation."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    elif scope["path"] == "/fails":
        raise ValueError
    elif scope["path"] == "/endless":
        connection = scope["extensions"]["obo"]
        connection.on_departure(connection.cancel)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await asyncio.Event().wait()
    else:
        await echo(receive, send)


async def echo(receive, send):
    try:
        body = await read_body(receive)
    except ConnectionError:
        return
    await answer(send, body)


def call(address, data, until, *, reset=False, tls=None):
    """One visitor, on blocking sockets so as to leave nothing on the loop."""
    connection = socket.create_connection(address, timeout=20)
    if tls is not None:
        connection = tls.wrap_socket(connection)
    with connection, suppress(*[OSError] if until is END else []):  # the end may be a reset
        connection.sendall(data)
        while until is not NOTHING and connection.recv(65536) and until is END:
            pass
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# What is sent, what is waited for; the visitor goes then.
VISITS = {
    "answered": (GET, ANSWER),
    "kept alive until it is idle": (GET, END),
    "told to close": (get(b"GET / HTTP/1.1", b"Connection: close"), END),
    "silent": (b"", NOTHING),
    "silent until it is closed": (b"", END),
    "an unfinished head": (GET + b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000, ANSWER),
    "a head that times out": (b"GET / HTTP/1.1\r\nX: ", END),
    "refused by its head": (get(b"FOO / HTTP/1.1"), END),
    "refused in a callback": (get(b"GET /" + b"a" * 9000 + b" HTTP/1.1"), END),
    "refused in its trailers": (chunked(b"0\r\nX: " + b"x" * 20_000), END),
    "a pipeline": (GET * 5, ANSWER),
    "a pipeline that is refused": (GET * 5 + b"FOO / HTTP/1.1\r\n\r\n", END),
    "an unfinished body": (post(b"Content-Length: 9", b"Expect: 100-continue", body=b"body"), ANSWER),
    "a body that times out": (post(b"Content-Length: 9"), END),
    "chunks that time out": (chunked(b"5\r\nhello"), END),
    "an upgrade that is ignored": (get(b"GET / HTTP/1.1", b"Connection: Upgrade", b"Upgrade: h2c"), ANSWER),
    "a failure of the application": (get(b"GET /fails HTTP/1.1"), END),
    "gone within the response": (get(b"GET /endless HTTP/1.1"), ANSWER),
    "gone with more to answer": (get(b"GET /endless HTTP/1.1") + GET * 5, ANSWER),
}
LEAVING = ("answered", "silent", "an unfinished head", "an unfinished body", "gone within the response")
HANDSHAKES = {
    "silent": (b"", NOTHING),
    "silent until the end": (b"", END),
    "unfinished": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", END),
    "no TLS": (GET, END),
}
LIMITS = {"header_timeout": SOON, "keep_alive_timeout": SOON, "body_timeout": SOON, "linger_timeout": SOON}


def visitor(listener, data, until, **how):
    return lambda: asyncio.to_thread(call, listener.address, data, until, **how)


@pytest.fixture
def certificate(tmp_path):
    issued = Authority(tmp_path).issue()
    return ListenTLS(cert_file=issued.cert_file, key_file=issued.key_file)


@pytest.mark.parametrize(("data", "until"), VISITS.values(), ids=VISITS)
async def test_nothing_is_left_of_a_connection(data, until):
    """F-36: however it came to its end."""
    limits = LIMITS if until is END else {}
    async with listening(app, **limits) as listener:
        assert await leftovers(visitor(listener, data, until)) == {}


@pytest.mark.parametrize("name", LEAVING)
async def test_nothing_is_left_of_a_connection_that_is_reset(name):
    """F-36: by who is tired of it."""
    async with listening(app) as listener:
        assert await leftovers(visitor(listener, *VISITS[name], reset=True)) == {}


@pytest.mark.parametrize("name", [*LEAVING, "told to close", "refused by its head"])
async def test_nothing_is_left_of_a_connection_over_tls(certificate, name):
    """F-36: nor of its TLS."""
    trusting = ssl._create_unverified_context()
    data, until = VISITS[name]
    limits = LIMITS if until is END else {}
    async with listening(app, certificate, **limits) as listener:
        assert await leftovers(visitor(listener, data, until, tls=trusting)) == {}


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize(("data", "until"), HANDSHAKES.values(), ids=HANDSHAKES)
async def test_nothing_is_left_of_a_handshake_that_fails(certificate, data, until, reset):
    """F-36: whose buffers are larger than all else of a connection."""
    async with listening(app, certificate, **LIMITS) as listener:
        assert await leftovers(visitor(listener, data, until, reset=reset)) == {}


@pytest.mark.parametrize("limit", [0, -1000], ids=["told", "cut"])
async def test_nothing_is_left_of_a_connection_too_many(limit):
    """F-36, F-30: the less it costs, the better."""
    async with listening(app, max_connections=limit) as listener:
        assert await leftovers(visitor(listener, GET, END)) == {}


async def test_nothing_is_left_of_a_connection_that_a_drain_ends():
    """F-36: each response is the last one on its connection then."""
    async with listening(app) as listener:
        listener.announce_end()
        assert await leftovers(visitor(listener, GET, END)) == {}


async def test_nothing_is_left_of_a_connection_that_was_cut():
    """F-36: with its request under way."""
    async with listening(app) as listener:

        async def visit():
            calling = asyncio.ensure_future(visitor(listener, get(b"GET /endless HTTP/1.1"), END)())
            while not calling.done():
                for connection in listener._state.live():
                    if connection._active:
                        connection.abort()
                await asyncio.sleep(0.01)
            await calling

        assert await leftovers(visit) == {}


async def test_a_websocket_keeps_nothing_of_the_http_it_was():
    """F-36, H-60: not even while it lasts."""
    async with listening(app) as listener:
        held = []

        def connect():
            client = socket.create_connection(listener.address, timeout=20)
            held.append(client)
            client.sendall(get(b"GET /chat HTTP/1.1", *WEBSOCKET))
            assert client.recv(12) == b"HTTP/1.1 101"

        left = await leftovers(lambda: asyncio.to_thread(connect), patience=0)
        for client in held:
            client.close()
    assert not {"Cycle", "HttpProtocol", "HttpRequestParser", "RequestReader"} & {
        name.rpartition(".")[2] for name in left
    }


@pytest.mark.parametrize("path", [b"/", b"/metrics", b"/livez", b"/readyz", b"/api/status", b"/none"])
async def test_nothing_is_left_of_a_call_of_the_admin_side(path):
    """F-36: which a monitor makes for as long as the process lives."""
    async with Demo() as demo, running(demo.settings()) as proxy:
        address = proxy.server.admin_address
        data = b"GET %b HTTP/1.1\r\nHost: %b:%d\r\n\r\n" % (path, address[0].encode(), address[1])
        assert await leftovers(lambda: asyncio.to_thread(call, address, data, ANSWER)) == {}
