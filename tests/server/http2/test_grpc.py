"""Calls of gRPC's that are refused, as they are on the wire; and what is counted of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from proxy.demo import Demo
from proxy.server.http2.patience import SILENCE, CallPatience
from tests.server.apps import USUAL_LIMITS, listening, read_body
from tests.support.http2_client import Http2Response, speaking
from tests.support.proxy import Running, running

pytestmark = pytest.mark.asyncio(loop_scope="module")
GRPC = (b"content-type", b"application/grpc")
LARGE = (b"x-large", b"x" * 9000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy() -> AsyncIterator[Running]:
    async with Demo() as demo:
        raw = demo.settings(listen={"http2": True, "max_header_bytes": "8KiB", "max_body_bytes": "1KiB"})
        async with running(raw) as running_proxy:
            yield running_proxy


async def call(proxy: Running, path: str, *fields: tuple[bytes, bytes], body: bytes = b"") -> Http2Response:
    async with speaking(proxy.server.address) as client:
        return await client.get(path, *fields, method="POST", body=body)


@pytest.mark.parametrize(
    ("path", "fields", "body", "status", "code"),
    [
        ("/orders", [], b"", b"16", b"subject_token_missing"),
        ("/nowhere", [], b"", b"12", b"no_route"),
        ("/orders/../a", [], b"", b"3", b"path_refused"),
        ("/public", [(b"grpc-timeout", b"1x")], b"", b"3", b"bad_request"),
        ("/public", [(b"grpc-timeout", b"0S")], b"", b"4", b"deadline_exceeded"),
        ("/public", [(b"expect", b"something")], b"", b"3", b"expectation_failed"),
        ("/public", [], b"x" * 2000, b"8", b"request_too_large"),
        ("/public", [LARGE], b"", b"8", b"header_too_large"),
    ],
)
async def test_a_refusal_is_a_single_block(proxy: Running, path, fields, body, status, code):
    """The application's and the server's own alike: HEADERS that end the stream, and neither body nor trailers."""
    answer = await call(proxy, path, GRPC, *fields, body=body)
    assert answer.ended
    assert (answer.status, answer.body, answer.trailers) == (200, b"", [])
    told = [answer.header(name) for name in (b"grpc-status", b"x-obo-code", b"content-type")]
    assert told == [status, code, b"application/grpc"]
    assert answer.header(
        b"grpc-message",
    ).startswith(code + b": ")
    assert answer.header(b"content-length") is None
    assert (answer.header(b"www-authenticate") is not None) is (status == b"16")


async def test_others_are_refused_as_before(proxy: Running):
    answer = await call(proxy, "/orders", (b"content-type", b"application/json"))
    assert (answer.status, answer.header(b"content-type")) == (401, b"application/problem+json")
    assert answer.header(b"grpc-status") is None


async def test_what_is_counted(proxy: Running):
    """Requests by their kind, and a refusal by the status that it has in HTTP."""
    metrics = proxy.app.metrics
    before = metrics.http2["grpc"], metrics.http2["other"], metrics.requests["orders", 401]
    await call(proxy, "/orders", GRPC)
    await call(proxy, "/orders", GRPC)
    await call(proxy, "/orders")
    after = metrics.http2["grpc"], metrics.http2["other"], metrics.requests["orders", 401]
    assert [new - old for new, old in zip(after, before, strict=True)] == [2, 1, 3]
    text = (await proxy.admin.get("/metrics")).text
    assert f'obo_http2_requests_total{{kind="grpc"}} {float(metrics.http2["grpc"])}' in text


class Duplex:
    """Answers at once where it is told to, and then each piece of the body by itself."""

    def __init__(self, *, at_once: bool) -> None:
        self.at_once = at_once

    async def __call__(self, scope, receive, send):
        if self.at_once:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"", "more_body": True})
        body = await read_body(receive)
        if not self.at_once:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_call_may_be_silent(at_once: bool):
    """No pace is demanded of its body, before it is answered and after; of others it is."""
    async with (
        listening(Duplex(at_once=at_once), http2=True, body_timeout=0.05) as listener,
        speaking(listener.address) as client,
    ):
        silent = await client.request("/", GRPC, method="POST", ended=False)
        other = await client.request("/", method="POST", ended=False)
        refused = await client.response(other)
        assert refused.reset is not None or refused.status == 408
        await client.data(silent, b"after a while", ended=True)
        answer = await client.response(silent)
    assert (answer.status, answer.body) == (200, b"after a while")


async def test_silence_has_an_end_where_nobody_answers():
    """A piece buys all of the time again, however small it is."""
    patience = CallPatience(USUAL_LIMITS)
    patience.run(10.0)
    assert patience.deadline == 10.0 + SILENCE
    patience.extend(1, 10.0 + SILENCE - 1)
    assert patience.deadline > 1e9
    patience.run(1000.0)
    assert patience.deadline == 1000.0 + SILENCE
