"""Requests over few connections: their places, what is sent again, and when connections come and go."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from h2.settings import SettingCodes

from proxy.errors import Overloaded, UpstreamBroken, UpstreamError, UpstreamUnreachable
from proxy.http2.codec import ErrorCode
from proxy.upstream import TLSOptions
from proxy.upstream.http2 import pool
from proxy.upstream.http2.connection import MAX_STREAMS
from tests.support.certificates import Authority, server_context
from tests.support.http2_upstream import Http2Server, ServerConnection, ServerStream
from tests.upstream.requests import Body, until

from .requests import Connect, fetch

SOON = 0.3  # s: a shortened limit


class Gate:
    """Answers once it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, stream: ServerStream) -> None:
        await self.opened.wait()
        await stream.respond(b"hello")


async def test_one_connection_carries_many_requests(connect: Connect) -> None:
    """All that need one at the same time wait for the same."""
    gate = Gate()
    async with Http2Server(gate) as server:
        upstream = connect(server.url)
        fetching = [asyncio.ensure_future(fetch(upstream)) for _ in range(40)]
        await until(lambda: len(server.streams) == 40)
        assert len(server.connections) == 1
        assert (upstream.active, upstream.idle, upstream.waiting) == (40, 0, 0)
        gate.opened.set()
        assert await asyncio.gather(*fetching) == [(200, b"hello")] * 40
        assert (upstream.active, upstream.idle) == (0, 1)


@pytest.mark.parametrize(("allowed", "connections"), [(1, 8), (5, 8), (25, 4), (MAX_STREAMS, 1), (10_000, 1)])
async def test_more_connections_where_one_is_full(connect: Connect, allowed: int, connections: int) -> None:
    """H2-09: few, so that where little is allowed on each, the others wait."""
    gate = Gate()
    async with Http2Server(gate, max_streams=allowed) as server:
        upstream = connect(server.url, max_connections=256)
        fetching = [asyncio.ensure_future(fetch(upstream, user=number)) for number in range(100)]
        sent = min(100, connections * allowed)
        await until(lambda: len(server.streams) == sent)
        await asyncio.sleep(0.02)
        assert (len(server.streams), len(server.connections)) == (sent, connections)
        assert upstream.waiting <= 100 - sent
        gate.opened.set()
        assert await asyncio.gather(*fetching) == [(200, b"hello")] * 100


async def test_places_bound_the_requests(connect: Connect) -> None:
    """F-25: not the connections; who waits too long is refused."""
    gate = Gate()
    async with Http2Server(gate) as server:
        upstream = connect(server.url, max_connections=4, connect=SOON)
        fetching = [asyncio.ensure_future(fetch(upstream, user=number)) for number in range(4)]
        await until(lambda: len(server.streams) == 4)
        with pytest.raises(Overloaded):
            await fetch(upstream, user=5)
        late = asyncio.ensure_future(fetch(upstream, user=5))
        await asyncio.sleep(0)
        assert upstream.waiting == 1
        gate.opened.set()
        assert await asyncio.gather(*fetching, late) == [(200, b"hello")] * 5


async def test_one_user_leaves_places_to_others(connect: Connect) -> None:
    """The last quarter is for those below their share."""
    gate = Gate()
    async with Http2Server(gate) as server:
        upstream = connect(server.url, max_connections=16)
        greedy = [asyncio.ensure_future(fetch(upstream, user="greedy")) for _ in range(20)]
        await until(lambda: len(server.streams) == 12)
        other = asyncio.ensure_future(fetch(upstream, user="other"))
        await until(lambda: len(server.streams) == 13)
        gate.opened.set()
        await asyncio.gather(*greedy, other)


@pytest.mark.parametrize(
    ("method", "body", "answered"),
    [
        ("GET", None, True),
        ("POST", None, True),
        ("POST", [b"a" * 9_000], True),
        ("POST", [b"a" * 20_000], False),
    ],
)
async def test_what_is_refused_is_sent_once_more(
    connect: Connect, method: str, body: list[bytes] | None, *, answered: bool
) -> None:
    """RFC 9113 §8.7: it is known not to have been processed."""

    async def answer(stream: ServerStream) -> None:
        sent = await stream.read()
        if stream is server.streams[0]:
            stream.reset(ErrorCode.REFUSED_STREAM)
        else:
            await stream.respond(sent)

    async with Http2Server(answer) as server:
        upstream = connect(server.url)
        fetching = fetch(upstream, method, body=Body(body) if body else None)
        if answered:
            assert await fetching == (200, b"".join(body or []))
        else:
            with pytest.raises(UpstreamUnreachable, match="REFUSED_STREAM"):
                await fetching


async def test_what_is_always_refused_is_sent_twice(connect: Connect) -> None:
    async def answer(stream: ServerStream) -> None:
        stream.reset(ErrorCode.REFUSED_STREAM)

    async with Http2Server(answer) as server:
        upstream = connect(server.url)
        for number in range(1, 21):
            with pytest.raises(UpstreamUnreachable, match="REFUSED_STREAM"):
                await fetch(upstream)
            assert len(server.streams) == 2 * number
        assert len(server.connections) <= pool.MAX_CONNECTIONS


@pytest.mark.parametrize(
    ("method", "served", "begun", "requests"),
    [
        ("GET", True, False, 2),
        ("GET", False, False, 1),  # it may be what breaks the server
        ("GET", True, True, 1),
        ("POST", True, False, 1),
    ],
)
async def test_what_is_sent_again_where_a_connection_is_lost(
    connect: Connect, method: str, *, served: bool, begun: bool, requests: int
) -> None:
    """F-12: as HTTP/1.1 does it; nobody knows whether it was processed (RFC 9110 §9.2.2)."""

    async def answer(stream: ServerStream) -> None:
        if stream.value(b":path") != b"/" or stream.connection is not server.connections[0]:
            await stream.respond(b"hello")
            return
        if begun:
            stream.start()
            await asyncio.sleep(0.02)
        stream.connection.transport.abort()

    async with Http2Server(answer) as server:
        upstream = connect(server.url)
        if served:
            await fetch(upstream, path=b"/first")
        before = len(server.streams)
        if requests == 2:
            assert await fetch(upstream, method) == (200, b"hello")
        else:
            with pytest.raises((UpstreamError, UpstreamBroken)):
                await fetch(upstream, method)
        assert len(server.streams) - before == requests


async def test_a_server_that_was_restarted(connect: Connect) -> None:
    """F-12: the end of an idle connection is seen before a request is written to it, whatever its method."""
    async with Http2Server() as server:
        upstream = connect(server.url)
        await fetch(upstream)
        server.connections[0].transport.abort()
        await server.connections[0].closed.wait()
        assert await fetch(upstream, "POST", body=Body([b"a" * 100_000])) == (200, b"hello")


async def test_a_server_that_goes_away_under_load(connect: Connect) -> None:
    """H2-16: again and again, and no request fails."""

    async def answer(stream: ServerStream) -> None:
        body = await stream.read()
        if stream.number == 19:
            stream.connection.go_away()
        elif (
            stream.connection.gone_away_after is not None
            and stream.number > stream.connection.gone_away_after
        ):
            return
        await asyncio.sleep(0.001)
        await stream.respond(body)

    async with Http2Server(answer) as server:
        upstream = connect(server.url)

        async def run(number: int) -> None:
            for turn in range(20):
                body = b"%d-%d" % (number, turn)
                assert await fetch(upstream, "POST", body=Body([body]), user=number) == (200, body)

        await asyncio.gather(*(run(number) for number in range(8)))
        assert len(server.connections) > 3
        await until(lambda: server.open_connections == 1)


async def test_a_connection_grows_old(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-33: it takes no new request, and ends with its last; names are resolved anew for the next."""
    monkeypatch.setattr(pool, "MAX_AGE", SOON)
    gate = Gate()

    async def answer(stream: ServerStream) -> None:
        if stream.value(b":path") == b"/held":
            await gate(stream)
        else:
            await stream.respond(b"hello")

    async with Http2Server(answer) as server:
        upstream = connect(server.url)
        held = asyncio.ensure_future(fetch(upstream, path=b"/held"))
        await asyncio.sleep(SOON + 0.2)
        assert await fetch(upstream) == (200, b"hello")
        assert len(server.connections) == 2
        gate.opened.set()
        assert await held == (200, b"hello")
        await asyncio.wait_for(server.connections[0].closed.wait(), 5)


async def test_a_connection_that_nobody_uses_is_closed(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "IDLE_EXPIRY", SOON)
    async with Http2Server() as server:
        upstream = connect(server.url)
        await fetch(upstream)
        assert upstream.idle == 1
        await asyncio.wait_for(server.connections[0].closed.wait(), 5)
        assert upstream.idle == 0


async def test_a_connection_that_may_not_be_used_any_more_is_closed(connect: Connect) -> None:
    """H2-09: a server that allows no more streams on each connection makes us keep none of them."""
    async with Http2Server() as server:
        upstream = connect(server.url)
        await fetch(upstream)
        peer = server.connections[0]
        peer.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 0})
        peer.flush()
        await until(lambda: not upstream._connections[0].capacity)
        await asyncio.wait_for(peer.closed.wait(), 5)
        assert await fetch(upstream) == (200, b"hello")


async def test_closing(connect: Connect) -> None:
    """Who waits is refused, who is served sees a break."""
    gate = Gate()
    async with Http2Server(gate) as server:
        upstream = connect(server.url, max_connections=2)
        fetching = [asyncio.ensure_future(fetch(upstream, user=number)) for number in range(3)]
        await until(lambda: len(server.streams) == 2)
        await upstream.aclose()
        errors = await asyncio.gather(*fetching, return_exceptions=True)
        assert [type(error).__name__ for error in errors] == ["Unanswered", "Unanswered", "Overloaded"]
        with pytest.raises(Overloaded):
            await fetch(upstream)


async def test_closing_while_connecting(connect: Connect, tmp_path: Path) -> None:
    async with Http2Server() as server:
        upstream = connect(server.url)
        fetching = asyncio.ensure_future(fetch(upstream))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await upstream.aclose()
        with pytest.raises(Overloaded):
            await fetching
        assert upstream.active == 0


async def test_who_leaves_while_connecting_leaves_the_place(connect: Connect) -> None:
    async with Http2Server() as server:
        upstream = connect(server.url)
        fetching = asyncio.ensure_future(fetch(upstream))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        assert upstream.active == 0
        assert await fetch(upstream) == (200, b"hello")
        assert len(server.connections) == 1


async def test_a_certificate_that_rotates(connect: Connect, tmp_path: Path) -> None:
    """O-05: new connections show the new one; those that are open stay."""
    authority = Authority(tmp_path)
    ours, next_one = authority.issue("first"), authority.issue("second")
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"

    def put(issued: object) -> None:
        certificate.write_bytes(issued.cert_file.read_bytes())  # type: ignore[attr-defined]
        key.write_bytes(issued.key_file.read_bytes())  # type: ignore[attr-defined]

    context = server_context(authority.issue(), client_ca=authority.ca_file)
    context.set_alpn_protocols(["h2"])
    put(ours)
    async with Http2Server(tls=context) as server:
        upstream = connect(server.url, tls=TLSOptions(authority.ca_file, certificate, key, http2=True))
        await fetch(upstream)
        put(next_one)
        server.connections[0].go_away()
        await asyncio.sleep(0.02)
        await fetch(upstream)
        shown = [one.transport.get_extra_info("peercert")["subject"] for one in server.connections]
        assert [dict(sum(subject, ()))["commonName"] for subject in shown] == ["first", "second"]


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_server_that_ends_every_connection(connect: Connect, *, at_once: bool) -> None:
    """It is not connected to without end."""

    class Unwilling(ServerConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            if at_once:
                self.go_away(0)

        def data_received(self, data: bytes) -> None:
            self.go_away(0)

    class Server(Http2Server):
        def _connected(self) -> ServerConnection:
            self.connections.append(Unwilling(self))
            return self.connections[-1]

    async with Server() as server:
        upstream = connect(server.url)
        with pytest.raises(UpstreamUnreachable):
            await fetch(upstream)
        assert len(server.connections) <= pool.MAX_CONNECTIONS + 1
        assert upstream.active == 0


async def test_callers_who_come_and_go_while_the_server_does_not_read(connect: Connect) -> None:
    """F-36: what waits to be written is bounded, though none of them stays."""
    async with Http2Server() as server:
        upstream = connect(server.url)
        await fetch(upstream)
        server.connections[0].transport.pause_reading()
        held = 0
        large = [(b"x-large", b"a" * 60_000)]
        for _ in range(300):
            fetching = asyncio.ensure_future(fetch(upstream, fields=large))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            fetching.cancel()
            with pytest.raises((asyncio.CancelledError, UpstreamError)):
                await fetching
            transports = [one._transport for one in upstream._connections]
            held = max(held, *(one.get_write_buffer_size() for one in transports), 0)
        assert 64 * 1024 < held < 1_300_000
