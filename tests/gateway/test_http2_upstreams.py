"""APIs that speak HTTP/2, from caller to API."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from proxy.demo import Demo
from proxy.demo.certificates import build_server_context
from proxy.demo.org import TLS_NAME
from tests.support.http2_upstream import Http2Server, ServerStream
from tests.support.kubelet import Volume
from tests.support.proxy import running

ROUTE = {"name": "api", "path": "/", "grant": "none", "http2": True}


async def echo(stream: ServerStream) -> None:
    await stream.respond(await stream.read(), (b"content-type", b"text/plain"), trailers=[(b"x-sum", b"1")])


async def test_a_caller_by_http_1_1() -> None:
    """H2-07: bodies with a length and without go up, and responses come back; nothing of HTTP/1.1 goes along."""

    async def chunks():
        for _ in range(10):
            yield b"a" * 10_000

    async with Http2Server(echo) as server, running({"routes": [ROUTE | {"upstream": server.url}]}) as proxy:
        for content, size in ((b"a" * 300_000, b"300000"), (chunks(), None)):
            answer = await proxy.client.post("/a?b", content=content)
            assert (answer.status_code, answer.http_version) == (200, "HTTP/1.1")
            request = dict(server.streams[-1].fields)
            assert len(answer.content) == len(server.streams[-1].body)
            assert request[b":path"] == b"/a?b"
            assert request[b":authority"] == server.url.removeprefix("http://").encode()
            assert request.get(b"content-length") == size
            assert not {b"host", b"connection", b"transfer-encoding"} & set(request)
        metrics = (await proxy.admin.get("/metrics")).text
        assert 'obo_upstream_connections{state="idle",upstream="api"} 1.0' in metrics
        assert 'obo_upstream_connections{state="active",upstream="api"} 0.0' in metrics


async def test_a_caller_who_leaves() -> None:
    """F-20: the stream is reset within a second, and its connection serves on."""

    async def stall(stream: ServerStream) -> None:
        stream.start()
        await stream.send(b"a")
        await asyncio.Event().wait()

    async with Http2Server(stall) as server, running({"routes": [ROUTE | {"upstream": server.url}]}) as proxy:
        async with proxy.client.stream("GET", "/"):
            pass
        await asyncio.wait_for(server.streams[0].reset_by_peer.wait(), 5)
        assert server.open_connections == 1


async def test_an_api_that_does_not_speak_it() -> None:
    """F-11: the failure names the remedy."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(24)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with running({"routes": [ROUTE | {"upstream": url}]}) as proxy:
            answer = await proxy.client.get("/")
            assert (answer.status_code, answer.json()["code"]) == (502, "upstream_protocol_error")
            [failure] = proxy.app.failures
            assert failure.remedy.startswith("Take http2 off the route")


async def test_websockets_stay_on_http_1_1() -> None:
    """On the same route, in places of the same pool."""

    async def echo_messages(websocket: ServerConnection) -> None:
        async for message in websocket:
            await websocket.send(message)

    async with serve(echo_messages, "127.0.0.1", 0) as server:
        url = "http://127.0.0.1:{}".format(*server.sockets[0].getsockname()[1:])
        async with (
            running({"routes": [ROUTE | {"upstream": url}]}) as proxy,
            connect(proxy.url.replace("http", "ws"), proxy=None) as websocket,
        ):
            await websocket.send("hello")
            assert await websocket.recv() == "hello"
            metrics = (await proxy.admin.get("/metrics")).text
            assert 'obo_upstream_connections{state="active",upstream="api"} 1.0' in metrics


@pytest.mark.parametrize("rotated", [False, True])
async def test_tokens_that_are_bound_to_our_certificate(demo: Demo, tmp_path: Path, *, rotated: bool) -> None:
    """RFC 8705 §3: a cached one goes on over connections that show what it is bound to."""
    demo.tenant.clients["obo-proxy-tls"].binds_tokens = True
    first = demo.authority.issue(TLS_NAME)
    volume = Volume(
        tmp_path / "volume", {"crt": first.cert_file.read_bytes(), "key": first.key_file.read_bytes()}
    )
    context = build_server_context(demo.authority.issue("api", host="127.0.0.1"), demo.authority.ca_file)
    context.set_alpn_protocols(["h2"])
    async with Http2Server(ServerStream.respond, tls=context) as server:
        raw = demo.settings(way="tls_client_auth")
        pair = {"cert_file": str(volume / "crt"), "key_file": str(volume / "key")}
        for issuer in raw["authorization_servers"].values():
            issuer["client"] |= pair
        tls = pair | {"ca_file": str(demo.authority.ca_file)}
        url = server.url.replace("localhost", "127.0.0.1")
        raw["routes"] = [raw["routes"][0] | {"upstream": url, "tls": tls, "http2": True}]
        async with running(raw) as proxy:
            token = demo.mint("alice")
            assert (await proxy.get("/orders/1", token)).status_code == 200
            if rotated:
                other = demo.authority.issue(TLS_NAME)
                volume.update({"crt": other.cert_file.read_bytes(), "key": other.key_file.read_bytes()})
                server.connections[-1].go_away()
                await asyncio.sleep(0.02)
            assert (await proxy.get("/orders/1", token)).status_code == 200
        shown = {one.transport.get_extra_info("peercert")["serialNumber"] for one in server.connections}
        assert len(shown) == 1
        assert len(server.streams) == 2
        assert demo.calls["token_exchange"] == 1
