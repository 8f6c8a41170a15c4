"""grpcio at both ends, the proxy between: whatever a call is to its caller directly, it is through us."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from proxy.demo import Demo
from proxy.http2 import frames, liveness
from proxy.http2.frames import build_ping
from proxy.http2.liveness import SERVERS_PAUSE
from proxy.upstream.http2 import connection
from tests.support.proxy import Running, running
from tests.support.redis_server import find_free_port

from .calls import SERVICE, UNLIMITED, Api, Caller, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
WITHIN = 2.0  # s that news of a call may take to the other side: one, and what a busy machine takes
MIB = 1024 * 1024
SCALE = 500


@dataclass
class Stage:
    demo: Demo
    api: Api
    proxy: Running
    direct: Caller
    through: Caller

    def call_as(self, user: str) -> Caller:
        return Caller(self.through.channel, ("authorization", f"Bearer {self.demo.mint(user)}"))


def build_settings(demo: Demo, port: int) -> dict[str, Any]:
    raw = demo.settings(listen={"host": "127.0.0.1", "port": 0, "http2": True})
    routes = {route["name"]: route | {"http2": True} for route in raw["routes"]}
    upstream = f"http://127.0.0.1:{port}"
    raw["routes"] = [
        routes["orders"] | {"path": f"/{SERVICE}", "upstream": upstream},
        routes["payroll"] | {"path": "/interop.Payroll", "upstream": upstream},
        routes["orders"]
        | {"name": "down", "path": "/interop.Down", "upstream": f"http://127.0.0.1:{find_free_port()}"},
        routes["public"] | {"path": "/grpc.health.v1.Health", "upstream": upstream},
    ]
    return raw


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with serving() as (api, port), Demo() as demo, running(build_settings(demo, port)) as proxy:
        address = proxy.url.removeprefix("http://")
        async with (
            grpc.aio.insecure_channel(f"127.0.0.1:{port}", UNLIMITED) as direct,
            grpc.aio.insecure_channel(address, UNLIMITED) as through,
        ):
            token = ("authorization", f"Bearer {demo.mint('alice')}")
            yield Stage(demo, api, proxy, Caller(direct, token), Caller(through, token))


async def describe(call: Any) -> tuple[Any, ...]:
    """All that a caller is told behind a response, but for the ``via`` of one that is a head alone."""
    trailers = [(name, value) for name, value in await call.trailing_metadata() if name != "via"]
    return await call.code(), await call.details(), trailers


async def expect(call: Any, code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    assert refused.value.code() is code, refused.value
    return refused.value


async def test_unary(stage: Stage):
    """On the user's behalf, many at once over one connection."""

    async def call(user: str) -> None:
        assert await stage.call_as(user).one("WhoAmI") == user.encode()

    await asyncio.gather(*(call(f"user{number}") for number in range(20)))


async def test_streaming_down(stage: Stage):
    told = []
    for caller in (stage.direct, stage.through):
        call = caller.many("Spread", b"300")
        assert [message async for message in call] == [b"%d" % number for number in range(300)]
        told.append(await describe(call))
    assert told[0] == told[1]


async def test_streaming_up(stage: Stage):
    told = []
    for caller in (stage.direct, stage.through):
        call = caller.send("Collect")
        for number in range(300):
            await call.write(b"%d" % number)
        await call.done_writing()
        assert await call == b",".join(b"%d" % number for number in range(300))
        told.append(await describe(call))
    assert told[0] == told[1]


async def test_both_ways_at_once(stage: Stage):
    """Each message is answered before the next one is sent."""
    told = []
    for caller in (stage.direct, stage.through):
        call = caller.both("Talk")
        for number in range(20):
            await call.write(b"%d" % number)
            assert await call.read() == b"heard %d" % number
        await call.done_writing()
        assert await call.read() == grpc.aio.EOF
        told.append(await describe(call))
    assert told[0] == told[1]


async def test_metadata_and_trailers_are_equal_to_direct_ones(stage: Stage):
    """In order and byte for byte, binary ones too; ahead of the message only what an intermediary adds is new."""
    metadata = (
        ("x-echo", "a"),
        ("x-echo", "b, c"),
        ("x-echo-bin", bytes(range(256))),
        ("x-echo-empty-bin", b""),
    )
    told = []
    for caller in (stage.direct, stage.through):
        call = caller.one("Echo", b"message", *metadata)
        assert await call == b"message"
        ahead = [pair for pair in await call.initial_metadata() if pair[0].startswith("x-echo")]
        told.append((ahead, await describe(call)))
    assert told[0] == told[1]
    assert len(told[0][0]) == len(metadata)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
async def test_errors_are_equal_to_direct_ones(stage: Stage, code: grpc.StatusCode):
    """With their message and details (grpc-status-details-bin)."""
    number = str(list(grpc.StatusCode).index(code)).encode()
    told = []
    for caller in (stage.direct, stage.through):
        call = caller.one("Fail", number)
        await expect(call, code)
        told.append(await describe(call))
    assert told[0] == told[1]


@pytest.mark.parametrize("size", [0, 1, 16_384, 65_536, 4 * MIB])
async def test_messages_of_any_size(stage: Stage, size: int):
    message = b"\xa5" * size
    assert await stage.through.one("Echo", message) == message


async def test_compressed_messages(stage: Stage):
    """Nobody looks into them."""
    call = stage.through.channel.unary_unary(f"/{SERVICE}/Echo")
    message = b"a" * 100_000
    metadata = stage.through.metadata
    assert await call(message, metadata=metadata, compression=grpc.Compression.Gzip, timeout=10) == message


@pytest.mark.parametrize("method", ["Wait", "Hang"])
async def test_a_caller_who_cancels_is_heard_at_the_api(stage: Stage, method: str):
    """Within a second, while the response is under way and before it has begun."""
    stage.api.begun.clear()
    stage.api.cancelled.clear()
    call = stage.through.many(method) if method == "Wait" else stage.through.one(method)
    await asyncio.wait_for(stage.api.begun.wait(), 5)
    call.cancel()
    await asyncio.wait_for(stage.api.cancelled.wait(), WITHIN)
    assert await call.code() is grpc.StatusCode.CANCELLED


async def test_a_caller_whose_connection_is_gone_is_heard_at_the_api(stage: Stage):
    stage.api.begun.clear()
    stage.api.cancelled.clear()
    address = stage.proxy.url.removeprefix("http://")
    async with grpc.aio.insecure_channel(address, UNLIMITED) as channel:
        Caller(channel, *stage.through.metadata).many("Wait")
        await asyncio.wait_for(stage.api.begun.wait(), 5)
        await channel.close(None)
        await asyncio.wait_for(stage.api.cancelled.wait(), WITHIN)


@pytest.mark.parametrize(
    ("pause", "expected"), [(SERVERS_PAUSE, "kept"), (0.0, "ended")], ids=["as we ask", "without a pause"]
)
async def test_who_is_silent_is_asked_no_more_often_than_grpc_bears(
    monkeypatch: pytest.MonkeyPatch, *, pause: float, expected: str
):
    """Both ends are grpcio's, with all times of either side a five-hundredth of what they are."""
    monkeypatch.setattr(liveness, "QUIET", liveness.QUIET / SCALE)
    monkeypatch.setattr(connection, "SERVERS_PAUSE", pause / SCALE)
    pings = 0

    def count() -> bytes:
        nonlocal pings
        pings += 1
        return build_ping()

    monkeypatch.setattr(frames, "build_ping", count)
    interval = ("grpc.http2.min_ping_interval_without_data_ms", 300_000 // SCALE)  # grpcio's own, otherwise
    async with (
        serving(interval) as (_, port),
        Demo() as demo,
        running(build_settings(demo, port)) as proxy,
        grpc.aio.insecure_channel(proxy.url.removeprefix("http://")) as channel,
    ):
        call = Caller(channel, ("authorization", f"Bearer {demo.mint('alice')}")).many("Wait", b"")
        assert await call.read() == b"begun"
        waiting = asyncio.ensure_future(call.read())
        await asyncio.wait({waiting}, timeout=6 * SERVERS_PAUSE / SCALE)
        assert pings >= 4
        assert ("ended" if waiting.done() else "kept") == expected
        call.cancel()
        with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
            await waiting


async def test_an_api_that_gives_up_is_heard_at_the_caller(stage: Stage):
    call = stage.through.many("GiveUp")
    assert await call.read() == b"begun"
    began = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError):
        await call.read()
    assert time.monotonic() - began < WITHIN
    assert (await call.code(), await call.details()) == (grpc.StatusCode.ABORTED, "given up")


async def test_an_api_that_is_gone_is_heard_at_the_caller(stage: Stage):
    """As a call that broke, within a second, and never as one that has ended well."""
    async with (
        serving() as (api, port),
        running(build_settings(stage.demo, port)) as proxy,
        grpc.aio.insecure_channel(proxy.url.removeprefix("http://")) as channel,
    ):
        call = Caller(channel, *stage.through.metadata).many("Wait")
        assert await call.read() == b"begun"
        began = time.monotonic()
        await api.server.stop(None)
        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()
        assert time.monotonic() - began < WITHIN


async def test_deadlines_bound_the_call(stage: Stage):
    """The API is told what is left, and its side ends with the time."""
    assert 8 < float(await stage.through.one("TimeLeft", timeout=10)) < 10.2  # grpcio rounds up
    stage.api.begun.clear()
    stage.api.cancelled.clear()
    began = time.monotonic()
    await expect(stage.through.one("Hang", timeout=0.3), grpc.StatusCode.DEADLINE_EXCEEDED)
    await asyncio.wait_for(stage.api.cancelled.wait(), WITHIN)
    assert 0.25 < time.monotonic() - began < WITHIN + 0.3


@pytest.mark.parametrize(
    ("metadata", "method", "code", "ours"),
    [
        ((), "Echo", grpc.StatusCode.UNAUTHENTICATED, "subject_token_missing"),
        ((("authorization", "Bearer a.b.c"),), "Echo", grpc.StatusCode.UNAUTHENTICATED, "subject_token_invalid"),
        ((("authorization", "Bearer a"),) * 2, "Echo", grpc.StatusCode.INVALID_ARGUMENT, "authorization_malformed"),
        (None, "/interop.Payroll/Echo", grpc.StatusCode.PERMISSION_DENIED, "exchange_denied"),
        (None, "/interop.Nothing/Echo", grpc.StatusCode.UNIMPLEMENTED, "no_route"),
        (None, "/interop.Down/Echo", grpc.StatusCode.UNAVAILABLE, "upstream_unreachable"),
    ],
)  # fmt: skip
async def test_refusals_are_grpcs(stage: Stage, metadata: Any, method: str, code: grpc.StatusCode, ours: str):
    """With our code, and the challenge where there is one; streams are refused like single calls."""
    metadata = stage.through.metadata if metadata is None else metadata
    caller = Caller(stage.through.channel, *metadata)
    call = caller.one(method)
    refused = await expect(call, code)
    assert refused.details().startswith(f"{ours}: ")
    trailers = dict(await call.trailing_metadata())
    assert trailers["x-obo-code"] == ours
    assert ("www-authenticate" in trailers) is (
        code is not grpc.StatusCode.UNAVAILABLE and ours != "no_route"
    )
    streaming = caller.both(method)
    with pytest.raises(grpc.aio.AioRpcError):
        await streaming.read()
    assert await streaming.code() is code


async def test_a_token_that_the_api_no_longer_takes_is_dropped(stage: Stage):
    """The call that learns of it fails, the next one brings a new token."""
    caller = stage.call_as("erin")
    assert await caller.one("Withdraw") == b"new"
    await expect(caller.one("Withdraw"), grpc.StatusCode.UNAUTHENTICATED)
    assert await caller.one("Withdraw") == b"new"


async def test_a_token_that_the_api_refuses_behind_a_message_is_dropped(stage: Stage):
    """As above, where the status stands in the trailers."""
    caller = stage.call_as("frank")
    codes = []
    for _ in range(3):
        call = caller.many("Expire")
        assert await call.read() == b"begun"
        codes.append(await call.code())
    assert codes == [grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.OK]


async def test_health_checks_pass_through(stage: Stage):
    """Without a token, where the route needs none."""
    stub = health_pb2_grpc.HealthStub(stage.through.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE), timeout=10)
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


async def test_a_stalled_reader_holds_little_and_stops_nobody(stage: Stage):
    """The API is stopped once what lies between is full; other calls of the connection go on meanwhile."""
    stage.api.sent = 0
    call = stage.through.both("Flood", timeout=30)
    assert len(await call.read()) == 16_000
    sent = -1
    while sent != stage.api.sent:  # as long as any more goes
        sent = stage.api.sent
        await asyncio.sleep(0.1)
        assert await stage.through.one("Echo", b"meanwhile") == b"meanwhile"
    # grpcio reads ahead itself, at either end; what we may hold is counted where nobody else is between.
    assert sent * 16_000 < 2 * MIB
    call.cancel()
