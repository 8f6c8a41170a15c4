"""Calls of gRPC's with Envoy before the proxy, or between it and the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import grpc
import pytest
import pytest_asyncio

from proxy.demo import Demo
from tests.support.proxy import running

from .calls import UNLIMITED, Api, Caller, serving
from .envoy_between import forwarding
from .test_grpc import WITHIN, build_settings, describe, expect

pytestmark = pytest.mark.asyncio(loop_scope="module")
Stage = tuple[Api, Caller]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["before", "behind"])
async def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("envoy")
    async with AsyncExitStack() as stack:
        api, port = await stack.enter_async_context(serving())
        demo = await stack.enter_async_context(Demo())
        if request.param == "behind":
            port = await stack.enter_async_context(forwarding(port, folder))
        proxy = await stack.enter_async_context(running(build_settings(demo, port)))
        first = urlsplit(proxy.url).port or 0
        if request.param == "before":
            first = await stack.enter_async_context(forwarding(first, folder))
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{first}", UNLIMITED)
        await stack.enter_async_context(channel)
        yield api, Caller(channel, ("authorization", f"Bearer {demo.mint('alice')}"))


async def test_every_kind_of_call(stage: Stage):
    """On the user's behalf, with trailers and details."""
    _, caller = stage
    answers = await asyncio.gather(*(caller.one("WhoAmI") for _ in range(20)))
    assert answers == [b"alice"] * 20
    message = b"x" * 1024 * 1024
    assert await caller.one("Echo", message) == message
    assert [part async for part in caller.many("Spread", b"100")] == [b"%d" % number for number in range(100)]
    call = caller.both("Talk")
    for number in range(5):
        await call.write(b"%d" % number)
        assert await call.read() == b"heard %d" % number
    await call.done_writing()
    assert await call.read() == grpc.aio.EOF
    code, _, trailers = await describe(call)
    assert (code, trailers) == (grpc.StatusCode.OK, [("x-behind", "1")])
    failed = caller.one("Fail", b"9")
    refused = await expect(failed, list(grpc.StatusCode)[9])
    assert refused.details() == "fünf % of it\nfailed"
    assert "grpc-status-details-bin" in dict(await failed.trailing_metadata())


async def test_cancellation_and_deadlines(stage: Stage):
    """Within a second at the API, over one hop more."""
    api, caller = stage
    for end in ("cancel", "deadline"):
        api.begun.clear()
        api.cancelled.clear()
        call = caller.one("Hang", timeout=10 if end == "cancel" else 0.3)
        await asyncio.wait_for(api.begun.wait(), 5)
        if end == "cancel":
            call.cancel()
        else:
            await expect(call, grpc.StatusCode.DEADLINE_EXCEEDED)
        await asyncio.wait_for(api.cancelled.wait(), WITHIN)


async def test_refusals(stage: Stage):
    _, caller = stage
    stranger = Caller(caller.channel)
    refused = await expect(stranger.one("Echo"), grpc.StatusCode.UNAUTHENTICATED)
    assert refused.details().startswith("subject_token_missing")
    # The proxy's own word, or Envoy's where it stands between and the way to the API is its own.
    await expect(caller.one("/interop.Nothing/Echo"), grpc.StatusCode.UNIMPLEMENTED)
