"""Nobody holds a connection without using it, and not everybody can."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time

import pytest

from proxy.config.models import ListenTLS
from tests.support.certificates import Authority
from tests.support.raw_client import connected

from .apps import Held, Recorder, answer, listening, read_body
from .messages import get, post

GET = get(b"GET / HTTP/1.1")
SOON = 0.4  # s: a shortened limit
LATER = 10.0  # s: by then it has long been enforced


async def keep_sending(client, data, *, every):
    """Send until the server has cut the connection; it must do so before long."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while not client.writer.transport.is_closing():
            assert time.monotonic() - began < LATER
            await client.send(data)
            await asyncio.sleep(every)


@pytest.fixture
async def recorder():
    return Recorder()


async def test_a_silent_connection_is_closed(recorder):
    """F-30: no byte, no answer."""
    async with listening(recorder, header_timeout=SOON) as listener, connected(listener.address) as client:
        assert await client.rest() == b""


async def test_empty_lines_keep_no_connection(recorder):
    """F-30: they begin no request."""
    async with listening(recorder, header_timeout=SOON) as listener, connected(listener.address) as client:
        await keep_sending(client, b"\r\n", every=SOON / 4)


async def test_a_head_that_trickles_is_refused(recorder):
    """F-30: the deadline is that of the whole head, from its first byte."""
    async with listening(recorder, header_timeout=SOON) as listener, connected(listener.address) as client:
        began = time.monotonic()
        await client.send(b"GET / HTTP/1.1\r\n")
        answered = asyncio.ensure_future(client.response())
        while not answered.done():
            await client.send(b"X: a\r\n")
            await asyncio.wait({answered}, timeout=SOON / 4)
        response = answered.result()
        assert (response.status, json.loads(response.body)["code"]) == (408, "request_timeout")
        assert time.monotonic() - began < LATER


async def test_a_second_head_has_a_deadline_of_its_own(recorder):
    """F-30: also on a connection that has served before, and behind a request that takes long."""
    held = Held()
    async with listening(held, header_timeout=SOON) as listener, connected(listener.address) as client:
        await client.send(GET + b"GET / HT")
        await asyncio.sleep(SOON + 0.3)
        held.released.set()
        assert (await client.response()).body == b"done"
        assert (await client.response()).status == 408


async def test_an_idle_connection_is_closed_after_the_keep_alive_timeout(recorder):
    """F-13: and not before."""
    async with (
        listening(recorder, header_timeout=0.1, keep_alive_timeout=SOON) as listener,
        connected(listener.address) as client,
    ):
        await client.send(GET)
        await client.response()
        began = time.monotonic()
        assert await client.rest() == b""
        assert SOON * 0.9 < time.monotonic() - began < LATER


@pytest.mark.parametrize("piece", [b"", b"a"], ids=["stops", "trickles"])
async def test_a_body_must_keep_moving(recorder, piece):
    """F-30: stopping or trickling ends in a 408."""
    async with listening(recorder, body_timeout=SOON) as listener, connected(listener.address) as client:
        await client.send(post(b"Content-Length: 1000") + b"begin")
        answered = asyncio.ensure_future(client.response())
        while not answered.done():
            await client.send(piece)
            await asyncio.wait({answered}, timeout=SOON / 4)
        assert answered.result().status == 408
    assert recorder.requests == []


async def test_a_body_that_moves_may_take_its_time(recorder):
    """F-30: each piece buys time."""
    async with listening(recorder, body_timeout=SOON) as listener, connected(listener.address) as client:
        await client.send(post(b"Content-Length: 1000"))
        for _ in range(10):
            await asyncio.sleep(SOON / 4)
            await client.send(b"a" * 100)
        assert (await client.response()).body == b"a" * 1000


@pytest.mark.parametrize("piece", [b"a" * 100, b"a" * 70_000], ids=["small", "more than is held"])
async def test_a_body_in_bursts_buys_no_more_than_its_rate(recorder, piece):
    """F-30: nor does a burst that stops the reading for a moment begin the time anew."""
    rate = 4 * len(piece)  # a burst buys a quarter of a second
    async with (
        listening(recorder, body_timeout=SOON, least_rate=rate) as listener,
        connected(listener.address) as client,
    ):
        await client.send(post(b"Content-Length: 1000000000"))
        answered = asyncio.ensure_future(client.response())
        began = time.monotonic()
        while not answered.done():
            assert time.monotonic() - began < LATER
            await client.send(piece)
            await asyncio.wait({answered}, timeout=SOON)
        assert answered.result().status == 408


async def test_chunk_framing_alone_does_not_stop_the_time(recorder):
    """F-30: it is no piece of the body that the application could go on with."""
    async with listening(recorder, body_timeout=SOON) as listener, connected(listener.address) as client:
        await client.send(post(b"Transfer-Encoding: chunked"))
        answered = asyncio.ensure_future(client.response())
        for byte in b"00000000000000a\r\n":
            await client.send(bytes([byte]))
            await asyncio.wait({answered}, timeout=SOON / 40)
        async with asyncio.timeout(LATER):
            assert (await answered).status == 408


async def test_a_bodys_time_does_not_run_while_the_application_works():
    """F-30: only the time counts in which a piece of the body is waited for."""

    async def app(scope, receive, send):
        await receive()
        await asyncio.sleep(3 * SOON)
        await answer(send, await read_body(receive))

    async with listening(app, body_timeout=SOON) as listener, connected(listener.address) as client:
        await client.send(post(b"Content-Length: 5"))
        await asyncio.sleep(SOON / 4)
        await client.send(b"he")
        await asyncio.sleep(3 * SOON)
        await client.send(b"llo")
        assert (await client.response()).body == b"llo"


async def test_a_body_has_no_deadline_while_nobody_asks_for_it():
    """F-30: the time that the application takes is not the peer's fault."""
    go = asyncio.Event()

    async def app(scope, receive, send):
        await go.wait()
        await answer(send, await read_body(receive))

    async with listening(app, body_timeout=0.2) as listener, connected(listener.address) as client:
        await client.send(post(b"Content-Length: 5") + b"he")
        await asyncio.sleep(0.5)
        go.set()
        await client.send(b"llo")
        assert (await client.response()).body == b"hello"


async def test_a_body_that_stops_after_the_response_began_breaks_it_off():
    """F-11, F-30: no second answer behind the first."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        with pytest.raises(ConnectionError):
            await read_body(receive)

    async with listening(app, body_timeout=SOON) as listener, connected(listener.address) as client:
        await client.send(post(b"Content-Length: 5"))
        assert (await client.rest()).endswith(b"half\r\n")


async def test_an_answered_peer_that_keeps_sending_is_cut():
    """H-24: reading on for the answer's sake has an end."""

    async def refuse(scope, receive, send):
        await answer(send, status=401)

    async with listening(refuse, linger_timeout=SOON) as listener, connected(listener.address) as client:
        await client.send(post(b"Content-Length: 1000000000"))
        assert (await client.response()).status == 401
        await keep_sending(client, b"a" * 1000, every=0.01)


async def test_connections_beyond_the_limit_are_told_so(recorder):
    """F-37: shed before anything is read; served again once one has left."""
    async with listening(recorder, max_connections=1) as listener, connected(listener.address) as first:
        await first.send(GET)
        await first.response()
        async with connected(listener.address) as second:
            await second.send(GET)
            response = await second.response()
            assert (response.status, json.loads(response.body)["code"]) == (503, "overloaded")
            assert response.header(b"retry-after") == b"1"
            assert await second.rest() == b""
        await first.close()
        while listener.connections:
            await asyncio.sleep(0.01)
        async with connected(listener.address) as third:
            await third.send(GET)
            assert (await third.response()).status == 200
    assert len(recorder.requests) == 2


async def test_handshakes_count_as_connections(recorder, tmp_path):
    """F-37: whoever does not even begin TLS takes no more descriptors than who sends no request."""
    issued = Authority(tmp_path).issue()
    tls = ListenTLS(cert_file=issued.cert_file, key_file=issued.key_file)
    async with listening(recorder, tls, max_connections=1) as listener:
        visitors = [socket.create_connection(listener.address) for _ in range(300)]
        for visitor in visitors:
            visitor.setblocking(False)
        while len(held := list(filter(is_open, visitors))) > 1 + 256:
            await asyncio.sleep(0.01)
        assert len(held) == 1 + 256
        for visitor in visitors:
            visitor.close()


def is_open(visitor):
    try:
        return visitor.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


BOUNDARIES = {
    "target": ({"max_target_bytes": 50}, lambda n: get(b"GET /" + b"a" * (49 + n) + b" HTTP/1.1"), 414),
    "field": ({"max_field_bytes": 50}, lambda n: get(b"GET / HTTP/1.1", b"X: " + b"a" * (45 + n)), 431),
    "fields": ({"max_header_fields": 5}, lambda n: get(b"GET / HTTP/1.1", *[b"X: a"] * (4 + n)), 431),
    "head": (
        {"max_header_bytes": 120},
        lambda n: get(b"GET / HTTP/1.1", *[b"X: " + b"a" * 40] * 2, b"Y: " + b"a" * (6 + n)),
        431,
    ),
}


@pytest.mark.parametrize(("limits", "make", "status"), BOUNDARIES.values(), ids=BOUNDARIES)
async def test_limits_hold_to_the_byte(recorder, limits, make, status):
    """H-39: what is exactly as long as allowed is served, one more is refused."""
    async with listening(recorder, **limits) as listener:
        for excess, expected in [(0, 200), (1, status)]:
            async with connected(listener.address) as client:
                await client.send(make(excess))
                assert (await client.response()).status == expected


async def test_a_head_without_an_end_is_refused(recorder):
    """A-21, H-39: before it is whole."""
    async with listening(recorder, max_header_bytes=1000) as listener, connected(listener.address) as client:
        client.writer.write(b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000)
        assert (await client.response()).status == 431
