"""Websockets through the whole proxy: real sockets, the ``websockets`` library at both ends."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from websockets.frames import Close, Frame, Opcode

from proxy.demo import Demo
from proxy.gateway.websocket_relay import relay
from proxy.runtime import SystemClock
from proxy.websockets.allowance import MAX_MESSAGE
from proxy.websockets.closing import Closed
from tests.support.proxy import Running, running
from tests.support.raw_client import connected
from tests.support.raw_upstream import STAY, RawUpstream
from tests.support.websocket import (
    WebSocketAPI,
    build_subprotocol,
    dial,
    refusal,
    settings_for,
)

HANDSHAKE = (
    "GET {} HTTP/1.1\r\nHost: proxy\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Authorization: Bearer {}\r\n\r\n"
)


class ShiftedClock(SystemClock):
    """The machine's clock, and what a test adds to it."""

    shift = 0.0

    def time(self) -> float:
        return super().time() + self.shift


async def end_of(websocket: Any) -> tuple[int, str] | None:
    """The close that a side received, once it has ended; None where it was cut."""
    async with asyncio.timeout(5):
        await websocket.wait_closed()
    close: Close | None = websocket.protocol.close_rcvd
    return None if close is None else (close.code, close.reason)


# Messages


@pytest.mark.parametrize(
    "message",
    ["", b"", "text", "é\U0001f600" * 1000, bytes(range(256)), b"\0" * MAX_MESSAGE],
    ids=["no text", "no bytes", "text", "unicode", "bytes", "the largest"],
)
async def test_messages_pass_both_ways(api: WebSocketAPI, proxy: Running, message):
    """H-63: text stays text, bytes stay bytes."""
    async with dial(proxy, "/public") as client:
        server = await api.accept()
        await client.send(message)
        assert await server.recv() == message
        await server.send(message)
        assert await client.recv() == message


async def test_fragments_arrive_as_one_message(api: WebSocketAPI, proxy: Running):
    """H-63: reassembled, however small the pieces."""
    async with dial(proxy, "/public") as client:
        server = await api.accept()
        for source, sink in ((client, server), (server, client)):
            await source.send(["a", "", "b" * 70_000, "é"])
            assert await sink.recv() == "a" + "b" * 70_000 + "é"
            await source.send([b"a", b"b"] * 500)
            assert await sink.recv() == b"ab" * 500


class Gone:
    """A side that has a message left, and takes none any more."""

    def __init__(self) -> None:
        self.left = ["last"]
        self.ends: list[int] = []

    async def receive(self) -> str:
        return self.left.pop() if self.left else await asyncio.get_running_loop().create_future()

    async def send(self, _: str | bytes) -> None:
        raise Closed(1006)

    async def close(self, code: int, _: str) -> None:
        self.ends.append(code)

    end = close


@pytest.mark.parametrize("watched", [True, False])
async def test_where_both_sides_are_gone_the_relay_ends(watched: bool):
    """H-63: neither waits for the other, nor for the user's access to be revoked."""
    downstream, upstream = Gone(), Gone()
    revoked = asyncio.get_running_loop().create_future() if watched else None
    async with asyncio.timeout(5):
        await relay(downstream, upstream, None, revoked)
    assert downstream.ends == upstream.ends == [1001]


async def test_order_is_kept(api: WebSocketAPI, proxy: Running):
    """H-63: a thousand messages each way at once, in order."""
    async with dial(proxy, "/public") as client:
        server = await api.accept()

        async def send(source: Any) -> None:
            for number in range(1000):
                await source.send(str(number))

        async def receive(sink: Any) -> list[str]:
            return [await sink.recv() for _ in range(1000)]

        results = await asyncio.gather(send(client), send(server), receive(client), receive(server))
        assert results[2] == results[3] == [str(number) for number in range(1000)]


async def test_pings_are_answered_at_each_hop(api: WebSocketAPI, proxy: Running):
    """H-63: with the same payload, whichever side asks."""
    async with dial(proxy, "/public") as client:
        server = await api.accept()
        async with asyncio.timeout(5):
            await (await client.ping(b"one"))
            await (await server.ping(b"two"))


async def test_compression_is_not_agreed_on(api: WebSocketAPI, proxy: Running):
    """H-63: nothing can unfold to more than it took to send."""
    async with dial(proxy, "/public", compression="deflate") as client:
        assert client.protocol.extensions == []
        assert (await api.accept()).protocol.extensions == []


async def test_a_compressed_frame_that_was_not_agreed_on(api: WebSocketAPI, proxy: Running):
    """H-63: 1002, unopened."""
    async with dial(proxy, "/public") as client:
        await api.accept()
        client.transport.write(b"\xc1\x81" + b"\0" * 5)  # FIN, RSV1, text; one byte, masked with nothing
        assert (await end_of(client))[0] == 1002


@pytest.mark.parametrize("side", ["caller", "upstream"])
async def test_a_message_that_is_too_big(api: WebSocketAPI, proxy: Running, side):
    """H-63: 1009 for whoever sent it and for the other."""
    client = await dial(proxy, "/public")
    server = await api.accept()
    source, sink = (client, server) if side == "caller" else (server, client)
    await asyncio.gather(source.send(b"\0" * (MAX_MESSAGE + 1)), return_exceptions=True)
    assert (await end_of(source))[0] == 1009
    assert (await end_of(sink))[0] == 1009


@pytest.mark.parametrize("side", ["caller", "upstream"])
async def test_whoever_does_not_read_holds_the_other_up(api: WebSocketAPI, proxy: Running, side):
    """H-63: what is buffered on the way does not grow with what is sent."""
    async with dial(proxy, "/public", max_queue=1) as client:
        server = await api.accept()
        source, sink = (client, server) if side == "caller" else (server, client)
        sink.transport.pause_reading()
        piece = b"\0" * (1024 * 1024)
        sent = 0

        async def send() -> None:
            nonlocal sent
            for _ in range(200):
                await source.send(piece)
                sent += 1

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await send()
        assert sent < 40
        source.transport.abort()
        sink.transport.abort()


# Ends


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, ""),
        (1000, "done"),
        (1001, "bye"),
        (1003, ""),
        (1011, "x"),
        (1013, "later"),
        (3000, "é" * 60),
        (4999, ""),
    ],
)
@pytest.mark.parametrize("side", ["caller", "upstream"])
async def test_a_close_passes_with_code_and_reason(api: WebSocketAPI, proxy: Running, side, code, reason):
    """H-63: both ways, and both hops end."""
    async with dial(proxy, "/public") as client:
        server = await api.accept()
        source, sink = (client, server) if side == "caller" else (server, client)
        await source.send("last words")
        await source.close(code, reason)
        assert await sink.recv() == "last words"
        assert await end_of(sink) == (code, reason)


@pytest.mark.parametrize("side", ["caller", "upstream"])
async def test_a_close_without_code_is_a_normal_one(api: WebSocketAPI, proxy: Running, side):
    """H-63: 1005 is never sent."""
    async with dial(proxy, "/public") as client:
        server = await api.accept()
        source, sink = (client, server) if side == "caller" else (server, client)
        source.protocol.send_close()
        source.send_data()
        assert await end_of(sink) == (1000, "")


async def test_a_lost_upstream(api: WebSocketAPI, proxy: Running):
    """H-63: 1011, never 1006; what it had sent arrives before."""
    async with dial(proxy, "/public") as client:
        server = await api.accept()
        await server.send("last words")
        assert await client.recv() == "last words"
        server.transport.abort()
        assert await end_of(client) == (1011, "the upstream broke off")


@pytest.mark.parametrize("idle", [True, False], ids=["idle", "in the middle of a message"])
async def test_a_departed_caller(api: WebSocketAPI, proxy: Running, idle):
    """F-20, H-63: the upstream is closed with 1001 as soon as the caller is gone."""
    async with dial(proxy, "/public") as client:
        server = await api.accept()
        if not idle:
            client.transport.write(Frame(Opcode.TEXT, b"x" * 100, fin=False).serialize(mask=True)[:50])
        client.transport.abort()
        assert await end_of(server) == (1001, "")
    await until_idle(proxy)


async def test_a_caller_who_departs_while_the_upstream_does_not_read(api: WebSocketAPI, proxy: Running):
    """F-20: noticed although nothing of the caller's is read just then."""
    async with dial(proxy, "/public") as client:
        server = await api.accept()
        server.transport.pause_reading()
        await client.send(b"\0" * MAX_MESSAGE)
        client.transport.close()
        await until_idle(proxy)
        server.transport.abort()


async def until_idle(proxy: Running) -> None:
    """Until no request is under way."""
    async with asyncio.timeout(5):
        while proxy.app.parts.in_flight.count:
            await asyncio.sleep(0.01)


async def test_a_caller_who_departs_during_the_handshake(demo: Demo):
    """F-21: the upstream's connection is closed."""
    async with RawUpstream([STAY]) as upstream, running(settings_for(demo, upstream)) as proxy:
        async with connected(proxy.server.address) as client:
            await client.send(HANDSHAKE.format("/public", "x").encode())
            async with asyncio.timeout(5):
                while not upstream.requests:
                    await asyncio.sleep(0.01)
            client.reset()
        async with asyncio.timeout(5):
            await upstream.connections[0].closed.wait()
        await until_idle(proxy)
        text = (await proxy.admin.get("/metrics")).text
    assert 'obo_requests_total{route="public",status="499"} 1.0' in text


async def test_a_drain_closes_with_going_away(api: WebSocketAPI, proxy: Running):
    """F-34: 1001 for both sides, well within the drain's time."""
    async with dial(proxy, "/public") as client:
        server = await api.accept()
        draining = asyncio.ensure_future(proxy.server.drain())
        assert (await end_of(client))[0] == 1001
        assert (await end_of(server))[0] == 1001
        await draining


async def test_a_handshake_under_way_when_the_drain_begins(demo: Demo, api: WebSocketAPI):
    """F-34: it is answered, and closed with 1001 at once."""
    demo.faults.hold("token")
    async with running(settings_for(demo, api)) as proxy:
        dialling = asyncio.ensure_future(dial(proxy, "/orders", demo.mint("alice")).__aenter__())
        await demo.calls.reach("token", 1)
        draining = asyncio.ensure_future(proxy.server.drain())
        await asyncio.wait([draining], timeout=0.7)
        demo.faults.release("token")
        client = await dialling
        assert (await end_of(client))[0] == 1001
        await draining


# The token's end


@pytest.mark.parametrize("mode", ["close", "continue"])
async def test_the_end_of_the_token(demo: Demo, api: WebSocketAPI, mode):
    """H-64: ``on_token_expiry: close`` closes both sides with 1008; ``continue`` leaves them."""
    clock = ShiftedClock()

    def pass_time(_: Any) -> None:
        clock.shift = 3600 - 0.5

    api.refuse = pass_time
    async with (
        running(settings_for(demo, api, on_token_expiry=mode), clock=clock) as proxy,
        dial(proxy, "/orders", demo.mint("alice")) as client,
    ):
        server = await api.accept()
        if mode == "close":
            assert await end_of(client) == (1008, "the access token has ended")
            assert (await end_of(server))[0] == 1008
        else:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.recv(), 1)


@pytest.mark.parametrize("mode", ["close", "continue"])
async def test_the_end_of_the_token_of_a_stream(demo: Demo, mode):
    """H-64: ``on_token_expiry: close`` cuts a response visibly; ``continue`` leaves it."""
    clock = ShiftedClock()
    sent, more = asyncio.Event(), asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
    async with RawUpstream([sent, head, more, b"0\r\n\r\n", STAY]) as upstream:
        raw = settings_for(demo, upstream, on_token_expiry=mode)
        async with running(raw, clock=clock) as proxy, connected(proxy.server.address) as client:
            token = demo.mint("alice")
            await client.send(
                f"GET /orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            )
            async with asyncio.timeout(5):
                while not upstream.requests:
                    await asyncio.sleep(0.01)
            clock.shift = 3600 - 0.5
            sent.set()
            received = await client.some()
            if mode == "close":
                received += await client.rest()
                assert received.endswith(b"5\r\nfirst\r\n")
                assert await asyncio.wait_for(upstream.connections[0].closed.wait(), 5)
            else:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.reader.read(1), 1)
                more.set()
                assert (await client.some()).endswith(b"0\r\n\r\n")


# What is told of it


async def test_websockets_are_counted_and_logged_like_requests(demo: Demo, api: WebSocketAPI, caplog):
    """O-01: with the status of their handshake; no line is a traceback."""
    caplog.set_level(logging.INFO)
    raw = settings_for(demo, api) | {"log": {"access": True}}
    async with running(raw) as proxy:
        async with dial(proxy, "/orders", demo.mint("alice")):
            await refusal(dial(proxy, "/orders"))
        await until_idle(proxy)
        text = (await proxy.admin.get("/metrics")).text
    assert 'obo_requests_total{route="orders",status="101"} 1.0' in text
    assert 'obo_requests_total{route="orders",status="401"} 1.0' in text
    assert [record.status for record in caplog.records if record.message == "request"] == [401, 101]
    assert [record.code for record in caplog.records if record.message == "request refused"] == [
        "subject_token_missing"
    ]
    assert "Traceback" not in caplog.text


async def test_no_token_is_logged(demo: Demo, api: WebSocketAPI, proxy: Running, caplog):
    """O-02: at no level."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets.client").setLevel(logging.WARNING)  # the caller's own side
    logging.getLogger("websockets.server").setLevel(logging.WARNING)  # the API's
    token = demo.mint("alice")
    async with dial(proxy, "/orders", subprotocols=[build_subprotocol(token), "chat"]) as client:
        await client.send("a secret")
        assert await (await api.accept()).recv() == "a secret"
    for secret in (
        token,
        build_subprotocol(token),
        "a secret",
        api.handshakes[-1].headers["Authorization"][7:],
    ):
        assert secret not in caplog.text


# Streams over plain HTTP


async def test_server_sent_events_arrive_one_by_one(demo: Demo):
    """H-65: the head before any event, and each event before the next is sent: nothing waits on the way."""
    gates = [asyncio.Event() for _ in range(20)]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    script: list[Any] = [head]
    for number, gate in enumerate(gates):
        script += [gate, b"%x\r\ndata: %03d\n\n\r\n" % (11, number)]
    async with (
        RawUpstream([*script, STAY]) as upstream,
        running(settings_for(demo, upstream)) as proxy,
        proxy.client.stream("GET", "/public") as response,
    ):
        assert response.headers["content-type"] == "text/event-stream"
        events = response.aiter_bytes()
        for number, gate in enumerate(gates):
            gate.set()
            assert await anext(events) == b"data: %03d\n\n" % number
        await events.aclose()
