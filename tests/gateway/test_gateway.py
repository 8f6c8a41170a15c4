"""The path of a request, from its route to its relayed answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from proxy.demo import Demo
from tests.support.proxy import Running, problem, running
from tests.support.raw_client import connected
from tests.support.raw_upstream import RawUpstream


@pytest.fixture
async def proxy(demo: Demo) -> AsyncIterator[Running]:
    async with running(demo.settings()) as running_proxy:
        yield running_proxy


@asynccontextmanager
async def passing(upstream: str, **listen: object) -> AsyncIterator[Running]:
    """A proxy with one public route."""
    route = {"name": "all", "path": "/", "upstream": upstream, "grant": "none"}
    async with running({"routes": [route], "listen": listen}) as proxy:
        yield proxy


async def test_a_route_without_a_user_never_sees_the_callers_token(demo: Demo, proxy: Running):
    """Client credentials: the caller's token is stripped, and not needed."""
    for token in (None, demo.mint("alice")):
        seen = (await proxy.get("/reports", token)).json()
        assert seen["on_behalf_of"] is None
        assert seen["claims"]["sub"] == seen["claims"]["cid"]


async def test_a_route_without_a_token_sends_none(demo: Demo, proxy: Running):
    """``grant: none``: nothing is sent, the caller's token least of all."""
    seen = (await proxy.get("/public", demo.mint("alice"), **{"X-Copy": demo.mint("alice")})).json()
    assert "authorization" not in seen["headers"]


async def test_an_upstream_that_refuses_a_cached_token_gets_a_fresh_one_once(demo: Demo, proxy: Running):
    """C-15: a 401 on a cached token drops it; the request is repeated once if it can be."""
    token = demo.mint("alice")
    assert (await proxy.get("/orders/status/401", token)).status_code == 401
    assert demo.api_calls["api"] == 1, "a 401 on a fresh token is the upstream's answer"
    assert (await proxy.get("/orders/status/401", token)).status_code == 401
    assert (demo.api_calls["api"], demo.calls["token_exchange"]) == (3, 2)
    headers = {"Authorization": f"Bearer {token}"}
    assert (await proxy.client.post("/orders/status/401", headers=headers, content=b"x")).status_code == 401
    assert (demo.api_calls["api"], demo.calls["token_exchange"]) == (4, 2), "a body is never sent twice"


async def test_a_preflight_passes_where_it_may(demo: Demo):
    """``cors_preflight``: an OPTIONS preflight needs no token, and brings none."""
    raw = demo.settings()
    raw["routes"] = [raw["routes"][0] | {"cors_preflight": True}, raw["routes"][1]]
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    async with running(raw) as proxy:
        passed = await proxy.client.options("/orders/status/204", headers=headers)
        assert passed.status_code == 401, "the demo's API wants a token even so: it was forwarded, with none"
        assert "authorization" not in dict(demo.api_requests[-1].headers)
        assert problem(await proxy.client.options("/profile", headers=headers)) == (
            401,
            "subject_token_missing",
        )
        assert problem(await proxy.client.options("/orders")) == (401, "subject_token_missing")


async def test_max_forwards_are_counted(demo: Demo, proxy: Running):
    """H-38: an OPTIONS that may go no further is answered here; one that may brings one less."""
    headers = {"Authorization": f"Bearer {demo.mint('alice')}"}
    last = await proxy.client.options("/orders", headers=headers | {"Max-Forwards": "0"})
    assert (last.status_code, demo.api_calls["api"]) == (204, 0)
    seen = (await proxy.client.options("/orders", headers=headers | {"Max-Forwards": "2"})).json()
    assert seen["headers"]["max-forwards"] == "1"


async def test_what_a_minimal_request_becomes():
    """H-21, H-34: the caller's fields in their order, then ours, and nothing that nobody has said."""
    async with (
        RawUpstream() as upstream,
        passing(upstream.url) as proxy,
        connected(proxy.server.address) as client,
    ):
        await client.send(
            b"GET /a//b?x=%20 HTTP/1.1\r\nHost: api.example\r\nX-A: 1\r\nX-Request-Id: r-1\r\n\r\n"
        )
        assert (await client.response()).status == 200
        via = proxy.app.parts.gateway.forwarding.via[1]
        (head,) = upstream.requests
        assert head.split(b"\r\n") == [
            b"GET /a//b?x=%20 HTTP/1.1",
            b"x-a: 1",
            b"host: localhost:%d" % upstream.port,
            b"x-request-id: r-1",
            b"x-forwarded-for: 127.0.0.1",
            b"x-forwarded-proto: http",
            b"x-forwarded-host: api.example",
            b"via: " + via,
            b"",
            b"",
        ]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ([b"Expect: a-miracle"], 417, "expectation_failed"),
        ([b"Content-Length: 11"], 413, "request_too_large"),
    ],
    ids=["expectation", "length"],
)
async def test_what_is_refused_before_anything_is_sent(fields: list[bytes], status: int, code: str):
    """F-24, H-27: the upstream hears nothing of it."""
    async with RawUpstream() as upstream, passing(upstream.url, max_body_bytes=10) as proxy:
        async with connected(proxy.server.address) as client:
            await client.send(b"\r\n".join([b"POST /a HTTP/1.1", b"Host: a", *fields, b"", b""]))
            refused = await client.response()
        assert (refused.status, json.loads(refused.body)["code"]) == (status, code)
        assert upstream.connections == []


async def test_a_request_that_comes_back_is_refused():
    """H-37: the proxy in front of itself answers 508, and does not go round."""
    async with RawUpstream() as upstream, passing(upstream.url) as proxy:
        via = proxy.app.parts.gateway.forwarding.via[1].decode()
        refused = await proxy.get("/a", Via=f"1.1 other, {via}")
        assert problem(refused) == (508, "loop_detected")
        assert upstream.connections == []


async def test_a_token_on_a_public_route_is_withheld_wherever_it_stands(demo: Demo):
    """H-29: nobody asked for it, and still it does not go on, nor does what repeats it."""
    token = demo.mint("alice")
    async with RawUpstream() as upstream, passing(upstream.url) as proxy:
        await proxy.get(f"/a?copy={token}&b=1", token, Cookie=f"c=1; session={token}")
        (head,) = upstream.requests
        assert token.encode() not in head
        assert head.startswith(b"GET /a?b=1 HTTP/1.1\r\n")
        assert b"cookie: c=1\r\n" in head
