"""HTTP/2 on both sides: what goes through, byte for byte, and how much of it may wait here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from h2.errors import ErrorCodes

from proxy.upstream.allowance import RESPONSES
from tests.support.http2_client import Http2Client, speaking
from tests.support.http2_upstream import Http2Server, ServerStream, say_hello
from tests.support.proxy import running
from tests.support.raw_upstream import RawUpstream

HELD = 256 * 1024  # bytes of a stream in one direction that may wait here
PIECE = 16 * 1024
TE = (b"te", b"trailers")
ONE_CREDENTIAL = (b"authorization", b"Bearer a-token-that-is-long-enough")


@asynccontextmanager
async def between(
    answer: Callable[[ServerStream], Any], *, credit: bool = True, **server: Any
) -> AsyncIterator[tuple[Http2Client, Http2Server]]:
    """A caller and an upstream of ours, the proxy between; the caller's connection has room for much."""
    async with Http2Server(answer, **server) as upstream:
        route = {"name": "calls", "path": "/", "upstream": upstream.url, "grant": "none", "http2": True}
        async with (
            running({"listen": {"http2": True}, "routes": [route]}) as proxy,
            speaking(proxy.server.address, credit=credit) as client,
        ):
            client.connection.increment_flow_control_window(2**24)
            await client.flush()
            yield client, upstream


async def test_trailers_pass_both_ways():
    """In order and byte for byte; but no credential, nor a copy of one, nor what belongs in a head."""
    given = [(b"x-first", b"\xff a"), (b"x-second", b""), (b"x-first", b"b")]
    withheld = [
        (b"authorization", b"Bearer b"),
        (b"x-copy", ONE_CREDENTIAL[1][7:]),
        (b"x-auth-user", b"root"),
    ]

    async def answer(stream: ServerStream) -> None:
        await stream.read()
        await stream.respond(b"body", trailers=[*given, (b"set-cookie", b"a=b")])

    async with between(answer) as (client, upstream):
        number = await client.request("/", TE, ONE_CREDENTIAL, method="POST", body=b"body", ended=False)
        client.connection.send_headers(number, [*given, *withheld], end_stream=True)
        await client.flush()
        response = await client.response(number)
    assert (response.status, response.body, response.trailers) == (200, b"body", given)
    (stream,) = upstream.streams
    assert (bytes(stream.body), stream.trailers) == (b"body", given)
    assert stream.value(b"te") == b"trailers"
    assert b"transfer-encoding" not in dict(stream.fields)


@pytest.mark.parametrize("body", [b"", b"x" * 100_000])
async def test_a_response_with_trailers_may_have_any_body(body: bytes):
    async def answer(stream: ServerStream) -> None:
        await stream.respond(body, trailers=[(b"grpc-status", b"0")])

    async with between(answer) as (client, _):
        response = await client.get()
    assert (response.body, response.trailers) == (body, [(b"grpc-status", b"0")])


async def test_a_single_block_stays_one():
    """gRPC's "Trailers-Only"."""

    async def answer(stream: ServerStream) -> None:
        stream.start((b"grpc-status", b"5"), ended=True)

    async with between(answer) as (client, _):
        response = await client.get()
    assert (response.header(b"grpc-status"), response.trailers, response.ended) == (b"5", [], True)


async def test_a_stream_that_is_reset_is_reset_at_the_other_side():
    """By CANCEL where the caller has gone; and a response that breaks never looks whole."""
    begun, seen = asyncio.Event(), asyncio.Event()

    async def answer(stream: ServerStream) -> None:
        stream.start()
        if stream.value(b":path") == b"/broken":
            await stream.send(b"part")
            await seen.wait()
            stream.reset(ErrorCodes.INTERNAL_ERROR)
        begun.set()

    async with between(answer) as (client, upstream):
        number = await client.request("/", method="POST", ended=False)
        await begun.wait()
        client.connection.reset_stream(number, ErrorCodes.CANCEL)
        await client.flush()
        async with asyncio.timeout(5):
            await upstream.streams[0].reset_by_peer.wait()
        assert upstream.streams[0].code == ErrorCodes.CANCEL
        number = await client.request("/broken")
        await client.until(lambda: client.streams[number].body)
        seen.set()
        broken = await client.response(number)
        assert broken.reset is not None
        assert not broken.ended


async def test_a_caller_that_takes_nothing_stops_the_api():
    """What waits here is bounded, and the other streams of both connections go on."""
    sent = 0

    async def answer(stream: ServerStream) -> None:
        nonlocal sent
        if stream.value(b":path") != b"/flood":
            await say_hello(stream)
            return
        stream.start()
        while True:
            await stream.send(b"x" * PIECE)
            sent += PIECE

    async with between(answer, credit=False) as (client, _):
        flood = await client.request("/flood")
        await _until_settled(client, lambda: sent)
        assert sent - len(client.streams[flood].body) <= HELD
        assert client.streams[flood].reset is None


async def get_by_http10(address: tuple[str, int], target: bytes) -> bytes:
    """The answer's ``Via`` to a request of HTTP/1.0 that has been through another proxy."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET %b HTTP/1.0\r\nVia: 1.0 fred\r\n\r\n" % target)
    lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    writer.close()
    await writer.wait_closed()
    return next(line for line in lines if line.lower().startswith(b"via: "))[len(b"via: ") :]


@pytest.mark.parametrize("caller", [b"1.0", b"1.1", b"2"])
@pytest.mark.parametrize("api", [b"1.1", b"2"])
async def test_via_names_the_version_of_either_side(caller: bytes, api: bytes):
    """RFC 9110 §7.6.3: that by which the message was received."""
    async with Http2Server() as new, RawUpstream() as old:
        routes = [
            {"name": "new", "path": "/2", "upstream": new.url, "grant": "none", "http2": True},
            {"name": "old", "path": "/1.1", "upstream": old.url, "grant": "none"},
        ]
        async with running({"listen": {"http2": True}, "routes": routes}) as proxy:
            ours = proxy.app.parts.gateway.forwarding.pseudonym
            if caller == b"2":
                async with speaking(proxy.server.address) as client:
                    told = (await client.get(f"/{api.decode()}", (b"via", b"1.0 fred"))).header(b"via")
            elif caller == b"1.0":
                told = await get_by_http10(proxy.server.address, b"/" + api)
            else:
                response = await proxy.get(f"/{api.decode()}", via="1.0 fred")
                told = response.headers["via"].encode()
        seen = new.streams[0].value(b"via") if api == b"2" else old.requests[0]
    assert told == api + b" " + ours
    assert b"1.0 fred, " + caller + b" " + ours in seen


async def test_what_callers_do_not_take_of_an_api_by_http1_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """The API is done with its responses, whole as they are. Who holds most has nothing left to read, and sees so."""
    monkeypatch.setattr(RESPONSES, "limit", 1024 * 1024)
    first, rest, gate = bytes(PIECE), bytes(200 * 1024), asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(first + rest)
    async with RawUpstream([head + first, gate, rest]) as upstream:
        route = {"name": "files", "path": "/", "upstream": upstream.url, "grant": "none"}
        async with (
            running({"listen": {"http2": True}, "routes": [route]}) as proxy,
            speaking(proxy.server.address, settings={4: 0}) as client,
        ):
            client.connection.increment_flow_control_window(2**24)
            streams = [await client.request() for _ in range(8)]
            await client.until(lambda: all(client.streams[one].headers for one in streams))
            gate.set()
            (pool,) = proxy.app.parts.upstreams.values()
            while pool.active:
                await asyncio.sleep(0.01)
            assert RESPONSES.held == 5 * len(rest)
            for one in streams:
                client.connection.increment_flow_control_window(2**20, one)
            await client.flush()
            responses = [await client.response(one) for one in streams]
            assert [len(one.body) for one in responses if one.ended] == [len(first + rest)] * 5
            assert [len(one.body) for one in responses if one.reset is not None] == [len(first)] * 3
            assert RESPONSES.held == 0


async def test_an_api_that_takes_nothing_stops_the_caller():
    async def answer(stream: ServerStream) -> None:
        if stream.value(b":path") != b"/flood":
            await say_hello(stream)

    async with between(answer) as (client, upstream):
        sent = 0
        flood = await client.request("/flood", method="POST", ended=False)

        def push() -> int:
            nonlocal sent
            while room := min(client.connection.local_flow_control_window(flood), PIECE):
                client.connection.send_data(flood, b"x" * room)
                sent += room
            return sent

        await _until_settled(client, push)
        assert sent - len(upstream.streams[0].body) <= HELD
        assert client.streams[flood].reset is None


async def _until_settled(client: Http2Client, measure: Callable[[], int]) -> None:
    """Until it stays the same over many other requests, all of which are answered."""
    before, same = -1, 0
    while same < 20:
        now = measure()
        same = same + 1 if now == before else 0
        before = now
        assert (await client.get("/hello")).body == b"hello"
