"""Which HTTP a connection is taken to speak."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from proxy.config.models import ListenTLS
from proxy.http2.frames import MAGIC
from tests.server.apps import USUAL_LIMITS, Recorder, answer, listening
from tests.server.messages import get
from tests.server.test_websocket import HANDSHAKE
from tests.support.certificates import Authority
from tests.support.http2_client import speaking
from tests.support.raw_client import connected

GET = get(b"GET / HTTP/1.1")
SOON = 0.3  # s: a shortened limit


def versions(recorder):
    return [scope["http_version"] for scope, _ in recorder.requests]


@pytest.mark.parametrize("http2", [True, False], ids=["with the key", "without"])
async def test_http1_is_spoken_as_ever(http2):
    recorder = Recorder()
    async with listening(recorder, http2=http2) as listener, connected(listener.address) as client:
        for _ in range(2):
            await client.send(GET)
            assert (await client.response()).status == 200
    assert versions(recorder) == ["1.1"] * 2


@pytest.mark.parametrize(
    ("method", "status"),
    [(b"POST", 200), (b"PUT", 200), (b"PROPFIND", 200), (b"P", 501), (b"PR", 501), (b"PRI", 400)],
)
async def test_what_only_begins_alike_is_http1(method, status):
    """Also where it comes byte by byte."""
    async with listening(Recorder(), http2=True) as listener, connected(listener.address) as client:
        for byte in get(method + b" / HTTP/1.1", b"Content-Length: 0"):
            await client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.response()).status == status


async def test_a_preface_in_pieces_is_one():
    async with listening(Recorder(), http2=True) as listener, connected(listener.address) as client:
        for byte in MAGIC:
            await client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.reader.readexactly(9))[3] == 4  # SETTINGS


async def test_without_the_key_a_preface_is_no_request():
    async with listening(Recorder()) as listener, connected(listener.address) as client:
        await client.send(MAGIC)
        assert (await client.response()).status == 400


async def test_an_upgrade_to_it_is_not_offered():
    """RFC 9113 §3.1: served as the plain request that it is, too."""
    recorder = Recorder()
    async with listening(recorder, http2=True) as listener, connected(listener.address) as client:
        await client.send(
            get(
                b"GET / HTTP/1.1",
                b"Connection: Upgrade, HTTP2-Settings",
                b"Upgrade: h2c",
                b"HTTP2-Settings: ",
            )
        )
        assert (await client.response()).status == 200
    assert versions(recorder) == ["1.1"]


async def test_websockets_stay_on_http1():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})

    async with listening(app, http2=True) as listener, connected(listener.address) as client:
        await client.send(get(b"GET / HTTP/1.1", *HANDSHAKE))
        assert (await client.some()).startswith(b"HTTP/1.1 101")


ALPN = {
    "both": (["h2", "http/1.1"], "2"),
    "h2 alone": (["h2"], "2"),
    "the other way round": (["http/1.1", "h2"], "2"),  # what both speak, as we prefer it
    "http/1.1 alone": (["http/1.1"], "1.1"),
    "none": ([], "1.1"),
}


@pytest.mark.parametrize(("offered", "version"), ALPN.values(), ids=ALPN)
async def test_under_tls_alpn_decides(tmp_path, offered, version):
    """RFC 9113 §3.2."""
    authority = Authority(tmp_path)
    issued = authority.issue()
    context = ssl.create_default_context(cafile=authority.ca_file)
    if offered:
        context.set_alpn_protocols(offered)
    recorder = Recorder()
    certificate = ListenTLS(cert_file=issued.cert_file, key_file=issued.key_file)
    async with listening(recorder, certificate, http2=True) as listener:
        if version == "2":
            async with speaking(listener.address, context) as client:
                assert (await client.get()).status == 200
        else:
            async with connected(listener.address, context) as client:
                await client.send(GET)
                assert (await client.response()).status == 200
    assert versions(recorder) == [version]


async def test_without_the_key_alpn_offers_http1_alone(tmp_path):
    authority = Authority(tmp_path)
    issued = authority.issue()
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    certificate = ListenTLS(cert_file=issued.cert_file, key_file=issued.key_file)
    async with (
        listening(Recorder(), certificate) as listener,
        connected(listener.address, context) as client,
    ):
        assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


async def test_a_head_has_no_more_time_for_having_been_looked_at():
    """F-30: what comes before it is told apart counts."""
    async with (
        listening(Recorder(), http2=True, header_timeout=SOON) as listener,
        connected(listener.address) as client,
    ):
        began = time.monotonic()
        await client.send(b"P")
        await asyncio.sleep(SOON * 0.8)
        await client.send(b"OST / HT")
        assert (await client.response()).status == 408
        assert time.monotonic() - began < SOON * 1.7


@pytest.mark.parametrize(("limit", "told"), [(0, b"HTTP/1.1 503"), (-1000, b"")], ids=["told", "cut"])
async def test_a_connection_too_many_is_refused(limit, told):
    """F-30: as soon as it is known in which words."""
    async with (
        listening(Recorder(), http2=True, max_connections=limit) as listener,
        connected(listener.address) as client,
    ):
        try:
            await client.send(GET)
            assert (await client.rest())[:12] == told
        except ConnectionError:
            assert not told


async def test_a_connection_that_is_cut_is_not_served():
    """F-30: where it turns out to be one too many only once it has said something."""
    begun = []

    async def app(scope, receive, send):
        begun.append(scope)
        await answer(send)

    async with listening(app, http2=True) as listener, connected(listener.address) as client:
        while not listener.connections:
            await asyncio.sleep(0)
        listener._state.limits = replace(USUAL_LIMITS, max_connections=-1000)
        await client.send(GET)
        with suppress(ConnectionError):
            assert await client.rest() == b""
    assert begun == []


async def test_a_drain_ends_what_has_not_begun():
    async with listening(Recorder(), http2=True) as listener, connected(listener.address) as client:
        while not listener.connections:
            await asyncio.sleep(0)
        listener.stop()
        assert await client.rest() == b""
