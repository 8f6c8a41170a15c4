"""One connection: how it begins, what ends it, and what becomes of its requests."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from proxy.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from proxy.http2 import frames, liveness
from proxy.http2.codec import ErrorCode
from proxy.http2.frames import build_ping
from proxy.upstream import TLSOptions
from proxy.upstream.http2 import connection
from tests.support.certificates import Authority, server_context
from tests.support.http2_upstream import Http2Server, ServerStream
from tests.support.pulled_cable import pull_cable
from tests.support.raw_upstream import RESET, STAY, RawUpstream, response
from tests.upstream.requests import Body, read_all, until

from .requests import Connect, fetch, send

SOON = 0.3  # s: a shortened limit
PING = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)


def server_tls(authority: Authority, *protocols: str, mutual: bool = False) -> ssl.SSLContext:
    context = server_context(authority.issue(), client_ca=authority.ca_file if mutual else None)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


async def test_over_tls(connect: Connect, tmp_path: Path) -> None:
    """O-05: by ALPN, and the scheme says so."""
    authority = Authority(tmp_path)
    async with Http2Server(tls=server_tls(authority, "h2")) as server:
        upstream = connect(server.url, tls=TLSOptions(ca_file=authority.ca_file, http2=True))
        assert [await fetch(upstream) for _ in range(3)] == [(200, b"hello")] * 3
        assert server.streams[0].value(b":scheme") == b"https"
        assert len(server.connections) == 1


async def test_our_certificate_is_shown(connect: Connect, tmp_path: Path) -> None:
    """O-05: for HTTP/2 as well (RFC 8705)."""
    authority = Authority(tmp_path)
    ours = authority.issue("proxy")
    tls = TLSOptions(authority.ca_file, ours.cert_file, ours.key_file, http2=True)
    async with Http2Server(tls=server_tls(authority, "h2", mutual=True)) as server:
        assert await fetch(connect(server.url, tls=tls)) == (200, b"hello")
        shown = server.connections[0].transport.get_extra_info("peercert")
        assert (("commonName", "proxy"),) in shown["subject"]


async def test_over_a_unix_socket(connect: Connect, tmp_path: Path) -> None:
    async with Http2Server(path=tmp_path / "api.sock") as server:
        assert await fetch(connect(server.url)) == (200, b"hello")


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)], ids=["no ALPN", "another"])
async def test_a_server_that_does_not_choose_http2(
    connect: Connect, tmp_path: Path, protocols: tuple[str, ...]
) -> None:
    """Nothing is sent to it, and the remedy is named."""
    authority = Authority(tmp_path)
    async with RawUpstream([response()], tls=server_tls(authority, *protocols)) as raw:
        upstream = connect(raw.url, tls=TLSOptions(ca_file=authority.ca_file, http2=True))
        with pytest.raises(UpstreamError) as raised:
            await fetch(upstream)
        assert "http2" in raised.value.remedy
        assert raw.requests == []


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
        b"\0\0\0\x04\x01\0\0\0\0",
        PING,
    ],
    ids=["HTTP/1.1", "another protocol", "an acknowledgement first", "another frame first"],
)
async def test_a_server_that_does_not_speak_http2(connect: Connect, said: bytes) -> None:
    """No token goes to whoever it is; the remedy is named."""
    async with RawUpstream([said, STAY]) as raw:
        upstream = connect(raw.url)
        with pytest.raises(UpstreamProtocolError) as raised:
            await fetch(upstream, fields=[(b"authorization", b"Bearer secret")])
        assert "http2" in raised.value.remedy
        assert b"secret" not in b"".join(raw.requests)
        assert upstream.active == 0


async def test_a_server_that_closes_at_once(connect: Connect) -> None:
    async with RawUpstream([RESET]) as raw:
        with pytest.raises(UpstreamProtocolError, match="before anything of HTTP/2"):
            await fetch(connect(raw.url))


async def test_a_server_that_says_nothing(connect: Connect) -> None:
    """F-14: its SETTINGS are part of connecting."""
    async with RawUpstream([STAY]) as raw:
        upstream = connect(raw.url, connect=SOON)
        with pytest.raises(UpstreamTimeout, match="SETTINGS"):
            await fetch(upstream)
        assert upstream.active == 0


async def test_nobody_listens(connect: Connect) -> None:
    async with Http2Server() as server:
        url = server.url
    upstream = connect(url)
    errors = await asyncio.gather(*(fetch(upstream) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in errors] == [UpstreamUnreachable] * 3
    assert len({id(error) for error in errors}) == 3


async def test_a_server_that_lets_nothing_be_sent(connect: Connect) -> None:
    async with Http2Server(max_streams=0) as server:
        upstream = connect(server.url)
        with pytest.raises(UpstreamUnreachable, match="no requests"):
            await fetch(upstream)
        assert (upstream.active, upstream.idle) == (0, 0)


async def begin(stream: ServerStream) -> None:
    if stream.value(b":path") == b"/begun":
        stream.start()
        await stream.send(b"hello")
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", UpstreamUnreachable),
        (b"\0\0\x01\0\0\0\0\0\x63a", UpstreamProtocolError),
        (b"\0\0\x05\x05\x04\0\0\0\x01" + bytes(5), UpstreamProtocolError),
        (b"\xff\xff\xff\0\0\0\0\0\x01", UpstreamProtocolError),
        (PING * 2000, UpstreamProtocolError),
    ],
    ids=["closed", "data of no stream", "a push", "a frame too large", "a flood of pings"],
)
async def test_a_connection_that_ends_ends_its_requests(
    connect: Connect, said: bytes, error: type[Exception]
) -> None:
    """F-11, H2-08: those with a head visibly break, the others are answerable; each with an error of its own."""
    async with Http2Server(begin) as server:
        upstream = connect(server.url)
        begun = await send(upstream, path=b"/begun")
        assert await begun.read() == b"hello"
        waiting = [asyncio.ensure_future(fetch(upstream, "POST")) for _ in range(2)]
        await until(lambda: len(server.streams) == 3)
        connection = server.connections[0]
        if said:
            connection.write(said)
        else:
            connection.transport.abort()
        with pytest.raises(UpstreamBroken):
            await begun.read()
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert [isinstance(one, error) for one in errors] == [True, True]
        assert errors[0] is not errors[1]
        assert (upstream.active, upstream.idle) == (0, 0)
        await asyncio.wait_for(connection.closed.wait(), 5)
        if said:
            assert connection.gone_away is not None or connection.fault is not None


@pytest.mark.parametrize("path", [b"/served", b"/refused"])
async def test_a_server_that_goes_away(connect: Connect, path: bytes) -> None:
    """RFC 9113 §6.8: what it serves still, it serves; what it does not is sent once more, and nobody notices."""
    gate = asyncio.Event()

    async def answer(stream: ServerStream) -> None:
        body = await stream.read()
        if stream.value(b":path") == b"/held":
            await gate.wait()
        elif stream.connection is server.connections[0]:
            if path == b"/refused":
                stream.connection.go_away(stream.number - 2)
                return
            stream.connection.go_away()
        await stream.respond(b"hello" + body)

    async with Http2Server(answer) as server:
        upstream = connect(server.url)
        held = asyncio.ensure_future(fetch(upstream, path=b"/held"))
        await until(lambda: len(server.streams) == 1)
        assert await fetch(upstream, "POST", path=path, body=Body([b"a", b"b"])) == (200, b"helloab")
        assert len(server.connections) == (2 if path == b"/refused" else 1)
        gate.set()
        assert await held == (200, b"hello")
        await asyncio.wait_for(server.connections[0].closed.wait(), 5)
        assert await fetch(upstream, path=b"/") == (200, b"hello")
        assert len(server.connections) == 2


async def test_a_body_too_long_to_be_kept_is_not_sent_again(connect: Connect) -> None:
    """RFC 9113 §8.7: half a body would be another request. The caller is told, and the next one is served elsewhere."""

    async def answer(stream: ServerStream) -> None:
        await stream.read()
        if stream.connection is server.connections[0]:
            stream.connection.go_away(0)
        else:
            await stream.respond(b"hello")

    async with Http2Server(answer) as server:
        upstream = connect(server.url)
        with pytest.raises(UpstreamUnreachable, match="not processed") as raised:
            await fetch(upstream, "POST", body=Body([b"a" * 20_000]))
        assert (raised.value.status, raised.value.code) == (502, "upstream_unreachable")
        assert len(server.streams) == 1
        assert (upstream.active, upstream.idle) == (0, 0)
        assert await fetch(upstream, "POST", body=Body([b"a" * 20_000])) == (200, b"hello")
        assert len(server.connections) == 2


async def test_a_silent_connection_gets_no_more_requests(connect: Connect) -> None:
    """F-14: who waited in vain on it, and heard of nobody else's either, is the last to wait there."""

    async def answer(stream: ServerStream) -> None:
        if stream.connection is server.connections[0]:
            await asyncio.Event().wait()
        await stream.respond(b"hello")

    async with Http2Server(answer) as server:
        upstream = connect(server.url, response=SOON)
        with pytest.raises(UpstreamTimeout):
            await fetch(upstream)
        assert await fetch(upstream) == (200, b"hello")
        assert len(server.connections) == 2


async def test_a_slow_request_does_not_end_its_connection(connect: Connect) -> None:
    """F-14: others are answered meanwhile."""
    hang = asyncio.Event()

    async def answer(stream: ServerStream) -> None:
        if stream.value(b":path") == b"/hang":
            await hang.wait()
        await stream.respond(b"hello")

    async with Http2Server(answer) as server:
        upstream = connect(server.url, response=SOON)
        slow = asyncio.ensure_future(fetch(upstream, path=b"/hang"))
        while not slow.done():
            assert await fetch(upstream) == (200, b"hello")
            await asyncio.sleep(0.05)
        assert isinstance(slow.exception(), UpstreamTimeout)
        assert len(server.connections) == 1


@pytest.fixture
def quick_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "QUIET", SOON)
    monkeypatch.setattr(liveness, "ANSWER", SOON)


@pytest.mark.usefixtures("quick_to_ask")
@pytest.mark.parametrize(
    ("path", "error"), [(b"/", UpstreamUnreachable), (b"/begun", UpstreamBroken)], ids=["silent", "begun"]
)
async def test_an_upstream_whose_cable_is_pulled(
    connect: Connect, path: bytes, error: type[Exception]
) -> None:
    """F-14: long before any of its requests has waited too long."""
    async with Http2Server(begin) as server:
        upstream = connect(server.url)
        fetching = asyncio.ensure_future(fetch(upstream, "POST", path=path))
        await until(lambda: bool(server.streams))
        await asyncio.sleep(SOON / 3)
        pull_cable(server.connections[0].transport.get_extra_info("socket"))
        with pytest.raises(error, match="PING"):
            await asyncio.wait_for(fetching, 10)
        assert (upstream.active, upstream.idle) == (0, 0)


@pytest.mark.usefixtures("quick_to_ask")
async def test_a_request_that_may_be_repeated_survives_a_pulled_cable(connect: Connect) -> None:
    async def answer(stream: ServerStream) -> None:
        if stream.value(b":path") == b"/again" and stream.connection is server.connections[0]:
            await asyncio.Event().wait()
        await stream.respond(b"hello")

    async with Http2Server(answer) as server:
        upstream = connect(server.url)
        await fetch(upstream)
        pull_cable(server.connections[0].transport.get_extra_info("socket"))
        assert await asyncio.wait_for(fetch(upstream, path=b"/again"), 10) == (200, b"hello")


@pytest.mark.usefixtures("quick_to_ask")
async def test_an_upstream_that_answers_may_be_silent(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again and again, and only while there are requests."""
    monkeypatch.setattr(connection, "SERVERS_PAUSE", 0.0)
    asked = 0

    def ask() -> bytes:
        nonlocal asked
        asked += 1
        return build_ping()

    monkeypatch.setattr(frames, "build_ping", ask)
    more = asyncio.Event()

    async def answer(stream: ServerStream) -> None:
        await more.wait()
        await stream.respond(b"hello")

    async with Http2Server(answer) as server:
        upstream = connect(server.url)
        fetching = asyncio.ensure_future(fetch(upstream))
        try:
            await until(lambda: asked == 3)
        finally:
            more.set()  # the server waits for it
        assert await fetching == (200, b"hello")
        await asyncio.sleep(2 * SOON)
        assert asked == 3
        assert await fetch(upstream) == (200, b"hello")
        assert asked == 3
        assert len(server.connections) == 1


async def test_readers_who_do_not_read_stop_nobody(connect: Connect) -> None:
    """H2-10, F-23: each holds what its stream may hold, and the connection goes on."""

    async def answer(stream: ServerStream) -> None:
        await stream.respond(b"a" * (10_000 if stream.value(b":path") == b"/" else 1_000_000))

    async with Http2Server(answer) as server:
        upstream = connect(server.url)
        stalled = [await send(upstream, path=b"/stalled") for _ in range(40)]
        await asyncio.sleep(0.05)
        for _ in range(10):
            assert await fetch(upstream) == (200, b"a" * 10_000)
        assert len(server.connections) == 1
        held = [response.buffered for response in stalled]  # type: ignore[attr-defined]
        assert max(held) <= 256 * 1024
        assert await read_all(stalled[0]) == b"a" * 1_000_000
        for response in stalled:
            response.close()
        assert upstream.active == 0
        await asyncio.wait_for(server.streams[1].reset_by_peer.wait(), 5)
        assert server.streams[1].code == ErrorCode.CANCEL
