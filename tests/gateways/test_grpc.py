"""gRPC through Envoy with the shipped configuration: each call is on its own user's behalf."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio

from proxy.demo import Demo
from tests.support.demo import decode
from tests.support.proxy import running as running_proxy
from tests.support.redis_server import find_free_port

from .programs import PROGRAMS, Ports, running

pytestmark = pytest.mark.asyncio(loop_scope="module")
SERVICE = "orders.Orders"


def _describe(context: Any) -> bytes:
    """The user, and how many credentials came along."""
    values = [value for name, value in context.invocation_metadata() if name == "authorization"]
    return f"{len(values)} {decode(values[0].removeprefix('Bearer '))['sub']}".encode()


async def _get(request: bytes, context: Any) -> bytes:
    context.set_trailing_metadata((("x-trailer", "kept"),))
    return _describe(context) + b" " + request


async def _talk(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield _describe(context) + b" " + request


@dataclass
class Calls:
    demo: Demo
    channel: Any

    def metadata(self, user: str) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.demo.mint(user)}"),)

    def get(self, request: bytes, metadata: tuple[tuple[str, str], ...] = ()) -> Any:
        return self.channel.unary_unary(f"/{SERVICE}/Get")(request, metadata=metadata, timeout=10)

    def talk(self, metadata: tuple[tuple[str, str], ...]) -> Any:
        return self.channel.stream_stream(f"/{SERVICE}/Talk")(metadata=metadata, timeout=10)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calls(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Calls]:
    server = grpc.aio.server()
    handlers = {
        "Get": grpc.unary_unary_rpc_method_handler(_get),
        "Talk": grpc.stream_stream_rpc_method_handler(_talk),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    api = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with Demo() as demo:
        raw = demo.settings(authorizer={"host": "127.0.0.1"})
        raw["routes"] = [raw["routes"][0] | {"path": f"/{SERVICE}", "upstream": f"http://127.0.0.1:{api}"}]
        async with running_proxy(raw) as proxy:
            address: Any = proxy.server.authorizer_address
            ports = Ports(find_free_port(), address[1], api)
            folder = tmp_path_factory.mktemp("envoy")
            target = f"127.0.0.1:{ports.gateway}"
            async with running(PROGRAMS[0], folder, ports), grpc.aio.insecure_channel(target) as channel:
                yield Calls(demo, channel)
    await server.stop(None)


async def test_unary(calls: Calls):
    """Many at once over one connection; trailers come through."""

    async def call(user: str) -> None:
        one = calls.get(b"ping", calls.metadata(user))
        assert await one == f"1 {user} ping".encode()
        assert dict(await one.trailing_metadata())["x-trailer"] == "kept"

    await asyncio.gather(*(call(f"user{number}") for number in range(10)))


async def test_bidirectional(calls: Calls):
    """Each message is answered before the next one is sent."""
    one = calls.talk(calls.metadata("alice"))
    for number in range(5):
        await one.write(b"%d" % number)
        assert await one.read() == b"1 alice %d" % number
    await one.done_writing()
    assert await one.read() == grpc.aio.EOF


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ((), grpc.StatusCode.UNAUTHENTICATED),
        ((("authorization", "Bearer a.b.c"),), grpc.StatusCode.UNAUTHENTICATED),
        ((("authorization", "Bearer a"), ("authorization", "Bearer b")), grpc.StatusCode.INTERNAL),
    ],
)
async def test_refusals_are_grpcs(calls: Calls, metadata: Any, code: grpc.StatusCode):
    """Envoy makes a status of them (400 is INTERNAL there)."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await calls.get(b"ping", metadata)
    assert refused.value.code() is code
