"""A request that has ended leaves nothing behind that would wait for the garbage collector."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from proxy.errors import BadRequest, ProxyError, UpstreamBroken
from proxy.upstream import Upstream
from tests.support.leftovers import leftovers
from tests.support.raw_upstream import CLOSE, RESET, STAY, RawConnection, RawUpstream, Script, response

from .requests import CHUNKED, HEAD, Body, Connect, fetch, read_all, send, until

SOON = 0.3  # s: a shortened limit


class Forgetful(RawUpstream):
    """Remembers no connections, so that only the proxy's side may."""

    def _connected(self) -> RawConnection:
        return RawConnection(self)


class Faulty(Body):
    """Breaks off after its pieces."""

    async def read(self) -> bytes:
        if piece := await super().read():
            return piece
        raise BadRequest("")


ANSWERS: dict[str, Script] = {
    "last on its connection": [response(b"bye", b"Connection: close"), CLOSE],
    "until the close": [HEAD + b"\r\nhello", CLOSE],
    "nothing": [CLOSE],
    "nothing in time": [STAY],
    "half a head": [HEAD, CLOSE],
    "a malformed head": [HEAD + b"X : a\r\n\r\n", STAY],
    "a malformed length": [HEAD + b"Transfer-Encoding: gzip\r\n\r\n", STAY],
    "half a counted body": [HEAD + b"Content-Length: 9\r\n\r\nhello", CLOSE],
    "half a chunked body": [CHUNKED + b"5\r\nhello\r\n", CLOSE],
    "a body that is reset": [CHUNKED + b"5\r\nhello\r\n", RESET],
    "a body that stalls": [CHUNKED + b"5\r\nhello\r\n", STAY],
    "malformed chunks": [CHUNKED + b"g\r\n", STAY],
    "more than was asked for": [CHUNKED + b"0\r\n\r\n" + response(), STAY],
}


async def fetch_some(upstream: Upstream, method: bytes = b"GET", body: Body | None = None) -> None:
    with suppress(ProxyError, UpstreamBroken):
        await fetch(upstream, method, body=body)


@pytest.mark.parametrize("script", ANSWERS.values(), ids=ANSWERS)
async def test_nothing_is_left_of_an_answer(connect: Connect, script: Script) -> None:
    """F-36: however it came to its end."""
    async with Forgetful(script) as raw:
        upstream = connect(raw.url, response=SOON, idle=SOON)
        assert await leftovers(lambda: fetch_some(upstream)) == {}


async def test_nothing_is_left_of_an_upload_that_is_refused(connect: Connect) -> None:
    """F-36: before it has come to its end."""
    never = asyncio.Event()
    async with Forgetful([response(status=b"413 Too Large"), STAY]) as raw:
        upstream = connect(raw.url)
        assert await leftovers(lambda: fetch_some(upstream, b"POST", Body([b"a" * 100_000, never]))) == {}


async def test_nothing_is_left_of_an_upload_that_breaks_off(connect: Connect) -> None:
    """F-36: by the caller's fault."""
    async with Forgetful([STAY]) as raw:
        upstream = connect(raw.url)
        assert await leftovers(lambda: fetch_some(upstream, b"POST", Faulty([b"a" * 100_000]))) == {}


@pytest.mark.parametrize("script", [[STAY], [CHUNKED + b"5\r\nhello\r\n", STAY]], ids=["head", "body"])
@pytest.mark.parametrize("uploads", [False, True], ids=["", "upload"])
async def test_nothing_is_left_of_a_request_that_is_cancelled(
    connect: Connect, script: Script, *, uploads: bool
) -> None:
    """F-36, F-20: within the head or the body of its answer, and of its own."""
    never = asyncio.Event()
    async with Forgetful(script) as raw:
        upstream = connect(raw.url)

        async def visit() -> None:
            heard = len(raw.requests)
            body = Body([b"a" * 100_000, never]) if uploads else None
            fetching = asyncio.ensure_future(fetch_some(upstream, b"POST", body))
            await until(lambda: len(raw.requests) > heard)
            await asyncio.sleep(0.01)
            fetching.cancel()
            with suppress(asyncio.CancelledError):
                await fetching

        assert await leftovers(visit) == {}


async def test_a_broken_response_stays_broken(connect: Connect) -> None:
    """F-11: who reads on is told again."""
    async with RawUpstream([CHUNKED + b"5\r\nhello\r\n", CLOSE]) as raw:
        answer = await send(connect(raw.url))
        for _ in range(3):
            with pytest.raises(UpstreamBroken):
                await read_all(answer)
