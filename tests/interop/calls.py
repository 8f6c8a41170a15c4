"""A gRPC API of every kind of call, by grpcio; messages are bytes as they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tests.support.demo import decode

SERVICE = "interop.Calls"
ALIASES = ("interop.Payroll",)  # the same, where another route leads
UNLIMITED = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.http2.bdp_probe", 0),  # which lets windows grow
]
DETAILS = b"\x08\x09\x12\x05wrong\xff\x00"


@dataclass
class Api:
    """What was seen of the calls; ``begun`` and ``cancelled`` tell of those that wait."""

    server: Any
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0  # messages of the flood
    seen: set[str] = field(default_factory=set)  # tokens of calls to ``Withdraw``

    async def echo(self, request: bytes, context: Any) -> bytes:
        """The message; metadata that begins with ``x-`` comes back ahead of it, and again behind."""
        told = [pair for pair in context.invocation_metadata() if pair[0].startswith("x-echo")]
        await context.send_initial_metadata([(name, value) for name, value in told])
        context.set_trailing_metadata(
            [*told, ("x-behind", "1"), ("x-behind", "2"), ("x-behind-bin", b"\0\xff")]
        )
        return request

    async def whoami(self, _: bytes, context: Any) -> bytes:
        """The user of each token that came along."""
        tokens = [value for name, value in context.invocation_metadata() if name == "authorization"]
        return " ".join(decode(token.removeprefix("Bearer "))["sub"] for token in tokens).encode()

    async def withdraw(self, _: bytes, context: Any) -> bytes:
        """No token is good any more that has been seen before."""
        token = dict(context.invocation_metadata())["authorization"]
        if token in self.seen:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token was withdrawn")
        self.seen.add(token)
        return b"new"

    async def expire(self, _: bytes, context: Any) -> AsyncIterator[bytes]:
        """As ``withdraw``, behind metadata and a message."""
        token = dict(context.invocation_metadata())["authorization"]
        await context.send_initial_metadata(())
        yield b"begun"
        if token in self.seen:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token has expired")
        self.seen.add(token)

    async def fail(self, request: bytes, context: Any) -> bytes:
        """With a status of a caller's choice, a message that needs encoding, and details."""
        context.set_trailing_metadata([("grpc-status-details-bin", DETAILS), ("x-behind", "1")])
        await context.abort(list(grpc.StatusCode)[int(request)], "fünf % of it\nfailed")
        raise AssertionError

    async def time_left(self, _: bytes, context: Any) -> bytes:
        """Seconds."""
        left = context.time_remaining()
        return b"" if left is None else f"{left:.6f}".encode()

    async def spread(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for number in range(int(request)):
            yield b"%d" % number
        context.set_trailing_metadata([("x-behind", "1")])

    async def collect(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        context.set_trailing_metadata([("x-behind", "1")])
        return b",".join([request async for request in requests])

    async def talk(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield b"heard " + request
        context.set_trailing_metadata([("x-behind", "1")])

    async def wait(self, _: bytes, context: Any) -> AsyncIterator[bytes]:
        """One message, then nothing until the call is cancelled."""
        self.begun.set()
        try:
            yield b"begun"
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    async def hang(self, _: bytes, context: Any) -> bytes:
        """Not a word."""
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        raise AssertionError

    async def give_up(self, _: bytes, context: Any) -> AsyncIterator[bytes]:
        """A message, and the call is over by the server's own will."""
        yield b"begun"
        await context.abort(grpc.StatusCode.ABORTED, "given up")

    async def flood(self, _: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """As much as is taken."""
        while True:
            yield b"x" * 16_000
            self.sent += 1


@asynccontextmanager
async def serving(*options: tuple[str, int]) -> AsyncIterator[tuple[Api, int]]:
    """The API and its port, on loopback; ``options`` are grpcio's."""
    server = grpc.aio.server(options=[*UNLIMITED, *options])
    api = Api(server)
    one, many = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    handlers = {
        "Echo": one(api.echo),
        "WhoAmI": one(api.whoami),
        "Fail": one(api.fail),
        "Withdraw": one(api.withdraw),
        "TimeLeft": one(api.time_left),
        "Hang": one(api.hang),
        "Spread": many(api.spread),
        "Wait": many(api.wait),
        "Expire": many(api.expire),
        "GiveUp": many(api.give_up),
        "Collect": grpc.stream_unary_rpc_method_handler(api.collect),
        "Talk": grpc.stream_stream_rpc_method_handler(api.talk),
        "Flood": grpc.stream_stream_rpc_method_handler(api.flood),
    }
    services = [grpc.method_handlers_generic_handler(name, handlers) for name in (SERVICE, *ALIASES)]
    server.add_generic_rpc_handlers(services)
    checks = health.aio.HealthServicer()
    await checks.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield api, port
    finally:
        await server.stop(None)


class Caller:
    """Calls over one channel, with ``metadata`` on each."""

    def __init__(self, channel: Any, *metadata: tuple[str, str]) -> None:
        self.channel = channel
        self.metadata = metadata

    def one(self, method: str, request: bytes = b"", *more: tuple[str, Any], timeout: float = 10) -> Any:
        return self._begin("unary_unary", method)(request, metadata=(*self.metadata, *more), timeout=timeout)

    def many(self, method: str, request: bytes = b"", *, timeout: float = 10) -> Any:
        return self._begin("unary_stream", method)(request, metadata=self.metadata, timeout=timeout)

    def send(self, method: str) -> Any:
        return self._begin("stream_unary", method)(metadata=self.metadata, timeout=10)

    def both(self, method: str, timeout: float = 10) -> Any:
        return self._begin("stream_stream", method)(metadata=self.metadata, timeout=timeout)

    def _begin(self, kind: str, method: str) -> Any:
        path = method if method.startswith("/") else f"/{SERVICE}/{method}"
        return getattr(self.channel, kind)(path)
