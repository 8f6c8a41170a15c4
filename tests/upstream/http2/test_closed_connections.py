"""A request that has ended leaves nothing behind that would wait for the garbage collector."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from proxy.errors import BadRequest, ProxyError, UpstreamBroken
from proxy.http2.codec import ErrorCode
from proxy.upstream.http2 import Http2Upstream
from tests.support.http2_upstream import Http2Server, ServerConnection, ServerStream
from tests.support.leftovers import leftovers
from tests.support.raw_upstream import RawUpstream, response
from tests.upstream.requests import Body

from .requests import Connect, fetch

SOON = 0.1  # s: a shortened limit
# The server's; and a connection, of which one may be new and stay, has four of the latter.
KEPT = ("asyncio.locks.", "proxy.http2.bounds.Bucket")


class Forgetful(Http2Server):
    """Remembers nothing, so that only the proxy's side may."""

    def _connected(self) -> ServerConnection:
        return ServerConnection(self)


class Faulty(Body):
    """Breaks off after its pieces."""

    async def read(self) -> bytes:
        if piece := await super().read():
            return piece
        raise BadRequest("")


async def fetch_some(upstream: Http2Upstream, method: str = "GET", body: Body | None = None) -> None:
    with suppress(ProxyError, UpstreamBroken):
        await fetch(upstream, method, body=body)


async def whole(stream: ServerStream) -> None:
    await stream.respond(b"a" * 100_000, trailers=[(b"a", b"b")])


async def nothing(stream: ServerStream) -> None:
    await asyncio.Event().wait()


async def reset_before_the_head(stream: ServerStream) -> None:
    stream.reset()


async def refuse(stream: ServerStream) -> None:
    stream.reset(ErrorCode.REFUSED_STREAM)


async def reset_in_the_body(stream: ServerStream) -> None:
    stream.start()
    await stream.send(b"a")
    stream.reset()


async def stall(stream: ServerStream) -> None:
    stream.start()
    await stream.send(b"a")
    await asyncio.Event().wait()


async def malformed(stream: ServerStream) -> None:
    stream.start((b"A", b"b"))


async def too_long(stream: ServerStream) -> None:
    stream.start((b"content-length", b"1"))
    await stream.send(b"aa")


async def early(stream: ServerStream) -> None:
    await stream.respond(b"enough", status=413)


async def go_away(stream: ServerStream) -> None:
    stream.connection.go_away(0)


async def cut(stream: ServerStream) -> None:
    stream.connection.transport.abort()


async def break_the_rules(stream: ServerStream) -> None:
    stream.connection.write(b"\0\0\x05\x05\x04\0\0\0\x01" + bytes(5))


Answer = Callable[[ServerStream], Awaitable[None]]
ANSWERS: list[Answer] = [
    whole,
    nothing,
    reset_before_the_head,
    refuse,
    reset_in_the_body,
    stall,
    malformed,
    too_long,
    early,
    go_away,
    cut,
    break_the_rules,
]


@pytest.mark.parametrize("uploads", [False, True], ids=["", "upload"])
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.__name__)
async def test_nothing_is_left_of_an_answer(connect: Connect, answer: Answer, *, uploads: bool) -> None:
    """F-36: however it came to its end."""
    never = asyncio.Event()
    async with Forgetful(answer) as server:
        upstream = connect(server.url, response=SOON, idle=SOON)

        async def visit() -> None:
            body = Body([b"a" * 100_000, never] if answer is not nothing else [b"a"]) if uploads else None
            await fetch_some(upstream, "POST", body)
            server.streams.clear()

        assert await leftovers(visit, kept=KEPT) == {}


@pytest.mark.parametrize("answer", [nothing, stall], ids=["head", "body"])
@pytest.mark.parametrize("uploads", [False, True], ids=["", "upload"])
async def test_nothing_is_left_of_a_request_that_is_cancelled(
    connect: Connect, answer: Answer, *, uploads: bool
) -> None:
    """F-36, F-20: within the head or the body of its answer, and of its own."""
    never = asyncio.Event()
    async with Forgetful(answer) as server:
        upstream = connect(server.url)

        async def visit() -> None:
            body = Body([b"a" * 100_000, never]) if uploads else None
            fetching = asyncio.ensure_future(fetch_some(upstream, "POST", body))
            await asyncio.sleep(0.05)
            fetching.cancel()
            with suppress(asyncio.CancelledError):
                await fetching
            server.streams.clear()

        assert await leftovers(visit, kept=KEPT) == {}


async def test_nothing_is_left_of_an_upload_that_breaks_off(connect: Connect) -> None:
    """F-36: by the caller's fault."""
    async with Forgetful(nothing) as server:
        upstream = connect(server.url)

        async def visit() -> None:
            await fetch_some(upstream, "POST", Faulty([b"a" * 1_000]))

        assert await leftovers(visit, kept=KEPT) == {}


async def test_nothing_is_left_of_a_connection_that_was_not_made(connect: Connect) -> None:
    """F-36: to whoever does not speak HTTP/2."""
    async with RawUpstream([response()]) as raw:
        upstream = connect(raw.url)

        async def visit() -> None:
            await fetch_some(upstream)
            raw.connections.clear()
            raw.requests.clear()

        assert await leftovers(visit, kept=KEPT) == {}
