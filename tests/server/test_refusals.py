"""Whoever refuses a request, app or server: one answer, one log line with its remedy, one count, one failure."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy.demo import Demo
from proxy.errors import ProxyError, RequestRefused
from tests.support.proxy import Running, running
from tests.support.raw_client import RawClient, connected
from tests.support.served import serving, write

from .apps import listening
from .messages import get, post

# For tests with a whole proxy: one loop is enough, and what they show does not depend on it.
only_uvloop = pytest.mark.asyncio(loop_factories=["uvloop"])

LIMITS = {"header_timeout": "300ms", "max_body_bytes": 10, "max_header_fields": 20}

# By name: what is sent, and the refusal's code and route.
REFUSED: dict[str, tuple[bytes, str, str]] = {
    "malformed": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "bad_request", ""),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", "bad_request", ""),
    "two framings": (post(b"Content-Length: 1", b"Transfer-Encoding: chunked"), "bad_request", ""),
    "HEAD": (b"HEAD / HTTP/1.1\r\n\r\n", "bad_request", ""),
    "large field": (get(b"GET / HTTP/1.1", b"X: " + b"a" * 20_000), "header_too_large", ""),
    "large head": (get(b"GET / HTTP/1.1", *[b"X: " + b"a" * 15_000] * 5), "header_too_large", ""),
    "many fields": (get(b"GET / HTTP/1.1", *[b"X: a"] * 30), "header_too_large", ""),
    "long target": (get(b"GET /" + b"a" * 9000 + b" HTTP/1.1"), "target_too_long", ""),
    "late head": (b"GET / HTTP/1.1\r\n", "request_timeout", ""),
    "forbidden method": (get(b"TRACE / HTTP/1.1"), "method_not_allowed", ""),
    "unknown method": (get(b"FOO / HTTP/1.1"), "not_implemented", ""),
    "another coding": (post(b"Transfer-Encoding: gzip"), "not_implemented", ""),
    "another version": (get(b"GET / HTTP/2.0"), "version_not_supported", ""),
    "another expectation": (post(b"Expect: miracles", b"Content-Length: 1"), "expectation_failed", ""),
    "no route": (get(b"GET /nowhere HTTP/1.1"), "no_route", ""),
    "ambiguous path": (get(b"GET /public/..%2f HTTP/1.1"), "path_refused", ""),
    "large body": (get(b"POST /public HTTP/1.1", b"Content-Length: 11"), "request_too_large", "public"),
    "another site's page": (
        get(b"GET /reports HTTP/1.1", b"Sec-Fetch-Site: cross-site"),
        "cross_site_refused",
        "reports",
    ),
    "loop": (get(b"GET /public HTTP/1.1", b"Via: {via}"), "loop_detected", "public"),
    "no token": (get(b"GET /orders HTTP/1.1"), "subject_token_missing", "orders"),
}


def kinds_of(kind: type[ProxyError]) -> dict[str, type[ProxyError]]:
    """The kinds of refusals below ``kind``, by their codes."""
    found = {one.code: one for one in kind.__subclasses__()}
    for one in kind.__subclasses__():
        found |= kinds_of(one)
    return found


KINDS = kinds_of(ProxyError) | {ProxyError.code: ProxyError}


@asynccontextmanager
async def watched(demo: Demo, caplog: pytest.LogCaptureFixture, **listen: object) -> AsyncIterator[Running]:
    """A proxy that logs each request; ``caplog`` has its lines."""
    caplog.set_level(logging.INFO)
    async with running(demo.settings(listen={**LIMITS, **listen}, log={"access": True})) as proxy:
        yield proxy


def lines_of(caplog: pytest.LogCaptureFixture, event: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.message == event]


def check_one_refusal(
    proxy: Running, caplog: pytest.LogCaptureFixture, code: str, route: str, request_id: str
) -> None:
    """The newest refusal was told everywhere, once."""
    kind = KINDS[code]
    told = [line for line in lines_of(caplog, "request refused") if line.request_id == request_id]
    assert [(line.code, line.status, line.route) for line in told] == [(code, kind.status, route)]
    assert told[0].remedy
    assert told[0].levelno == (logging.WARNING if kind.status >= 500 else logging.INFO)
    failure = next(iter(proxy.app.failures))
    assert (failure.code, failure.route, failure.request_id) == (code, route, request_id)
    assert (failure.reason, failure.remedy) == (told[0].reason, told[0].remedy)
    accessed = [line for line in lines_of(caplog, "request") if line.request_id == request_id]
    assert [(line.status, line.route) for line in accessed] == [(kind.status, route)]


async def read_refusal(client: RawClient, method: str = "GET") -> tuple[int, str, str]:
    """Status, code and request id; of an answer without a body, an empty code."""
    answer = await client.response(method)
    request_id = answer.header(b"x-request-id") or b""
    code = json.loads(answer.body)["code"] if answer.body else ""
    return answer.status, code, request_id.decode()


@pytest.mark.parametrize(("data", "code", "route"), REFUSED.values(), ids=REFUSED)
@only_uvloop
async def test_a_refusal_is_answered_logged_counted_and_noted(demo: Demo, caplog, data, code, route):
    """O-03, O-04: with its remedy, and once, be the route known or not."""
    method = data.split()[0].decode("latin-1")
    async with watched(demo, caplog) as proxy:
        before: Counter[tuple[str, int]] = Counter()
        if b"{via}" in data:
            await proxy.get("/public")
            data = data.replace(b"{via}", dict(demo.api_requests[-1].headers)["via"].encode())
            before += proxy.app.metrics.requests
        async with connected(proxy.server.address) as client:
            await client.send(data)
            status, told, request_id = await read_refusal(client, method)
        assert (status, told) == (KINDS[code].status, "" if method == "HEAD" else code)
        assert proxy.app.metrics.requests - before == {(route, status): 1}
        check_one_refusal(proxy, caplog, code, route, request_id)
        seen = (await proxy.admin.get("/api/status")).json()
        assert [one["code"] for one in seen["failures"]] == [code]


@only_uvloop
async def test_connections_beyond_the_limit_are_told_counted_and_noted(demo: Demo, caplog):
    """F-30: the remedy names the limit that was met."""
    async with watched(demo, caplog, max_connections=1) as proxy, connected(proxy.server.address):
        async with connected(proxy.server.address) as client:
            status, code, request_id = await read_refusal(client)
        assert (status, code) == (503, "overloaded")
        assert proxy.app.metrics.requests == {("", 503): 1}
        check_one_refusal(proxy, caplog, code, "", request_id)
        assert "listen.max_connections" in next(iter(proxy.app.failures)).remedy


def test_each_kind_of_refused_request_is_in_the_table():
    """None of ``errors`` is there in vain; some have tests of their own: one below, and one by HTTP/2 alone."""
    elsewhere = {"overloaded", "deadline_exceeded"}
    assert set(kinds_of(RequestRefused)) <= {code for _, code, _ in REFUSED.values()} | elsewhere


@only_uvloop
async def test_a_request_whose_rest_is_refused_counts_once_and_where_it_belongs(demo: Demo, caplog):
    """O-03: the app has begun it: its route has the refusal's status, and nobody has left."""
    async with watched(demo, caplog) as proxy, connected(proxy.server.address) as client:
        demo.faults.hold("token")
        bearer = b"Authorization: Bearer " + demo.mint("alice").encode()
        await client.send(get(b"POST /orders HTTP/1.1", bearer, b"Transfer-Encoding: chunked"))
        await demo.calls.reach("token", 1)
        await client.send(b"no chunk\r\n")
        status, code, request_id = await read_refusal(client)
        demo.faults.release("token")
        await client.rest()
        assert (status, code) == (400, "bad_request")
        assert proxy.app.metrics.requests == {("orders", 400): 1}
        assert proxy.app.metrics.departures.total() == 0
        (failure,) = proxy.app.failures
        assert (failure.code, failure.request_id) == (code, request_id)
        assert [line.remedy for line in lines_of(caplog, "request refused")] == [failure.remedy]
        assert len(lines_of(caplog, "request")) == 1


@only_uvloop
async def test_a_flood_of_one_kind_takes_one_place_and_is_counted(demo: Demo, caplog):
    """F-30: sizes that callers choose make no kinds of their own."""
    async with watched(demo, caplog) as proxy:
        for size in range(5):
            for data in (
                get(b"GET /" + b"a" * (9000 + size) + b" HTTP/1.1"),
                get(b"GET / HTTP/1.1", b"X: " + b"a" * (20_000 + size)),
                get(b"GET / HTTP/1.1", *[b"X: " + b"a" * (15_000 + size)] * 5),
                get(b"POST /public HTTP/1.1", b"Content-Length: %d" % (11 + size)),
            ):
                async with connected(proxy.server.address) as client:
                    await client.send(data)
                    await read_refusal(client)
        assert [failure.count for failure in proxy.app.failures] == [5, 5, 5, 5]


async def fail(scope, receive, send):
    raise RuntimeError


async def fail_after_a_piece(scope, receive, send):
    await receive()
    raise RuntimeError


@pytest.mark.parametrize("app", [fail, fail_after_a_piece])
async def test_an_application_s_fault_while_the_body_comes_is_answered(app, caplog):
    """F-38: 500, and a line that says where to look."""
    caplog.set_level(logging.INFO)
    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(post(b"Content-Length: 10") + b"begin")
        assert (await read_refusal(client))[:2] == (500, "internal_error")
    (line,) = lines_of(caplog, "request refused")
    assert line.remedy


@only_uvloop
async def test_refusals_of_several_workers_add_up(demo: Demo, tmp_path: Path):
    """O-03: what workers refuse by themselves is among what the supervisor shows."""
    path = write(tmp_path / "obo.yaml", demo.settings(), workers=2)
    async with serving(path) as served:
        for _ in range(4):
            async with connected(served.address) as client:
                await client.send(get(b"FOO / HTTP/1.1"))
                assert (await client.response()).status == 501
        lines = await served.find("request refused", times=4)
        assert {line["worker"] for line in lines} == {1, 2}
        assert all(line["remedy"] for line in lines)
        assert await served.count("obo_requests_total", route="", status="501") == 4
        seen = (await served.admin.get("/api/status")).json()
        assert [one["code"] for one in seen["failures"]] == ["not_implemented"]
