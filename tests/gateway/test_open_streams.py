"""Streams and websockets of a user whose access ends, on routes with ``on_token_expiry: close``."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from proxy.demo import Demo
from proxy.demo.signals import build_entry, send
from tests.admin.test_logout import build as build_logout_token
from tests.admin.test_logout import log_out
from tests.support.proxy import Running, running
from tests.support.raw_client import connected
from tests.support.raw_upstream import STAY, RawUpstream, response
from tests.support.websocket import WebSocketAPI, dial, settings_for

REVOKED = (1008, "the user's access was revoked")
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"


async def signal(demo: Demo, proxy: Running, way: str) -> httpx.Response:
    if way == "logout":
        return await log_out(proxy, build_logout_token(demo))
    return await send(demo.tenant, proxy.url, way, "alice")


async def end_of(connection: Any) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.wait_for(connection.recv(), 5)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def stays_open(connection: Any) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connection.recv(), 0.3)


@pytest.mark.parametrize("way", ["session-revoked", "universal-logout", "logout"])
@pytest.mark.parametrize("configured", [True, False])
async def test_websockets(demo: Demo, api: WebSocketAPI, way: str, configured: bool):
    """H-64: hers are closed with 1008 at both ends, others' are not; a logout needs no signals for it."""
    if not configured and way != "logout":
        pytest.skip("nobody would hear it")
    raw = settings_for(demo, api, on_token_expiry="close")
    raw["signals"] = [build_entry(demo.tenant)] if configured else []
    async with (
        running(raw) as proxy,
        dial(proxy, "/orders", demo.mint("alice")) as hers,
        dial(proxy, "/orders", demo.mint("bob")) as his,
    ):
        server = await api.accept()
        assert len(proxy.app.parts.streams)
        assert (await signal(demo, proxy, way)).status_code in (200, 202, 204)
        assert await end_of(hers) == REVOKED
        assert (await end_of(server))[0] == 1008
        await stays_open(his)
        await his.close()
        async with asyncio.timeout(5):
            while len(proxy.app.parts.streams):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("configured", [True, False])
async def test_who_acts_for_a_user(demo: Demo, api: WebSocketAPI, configured: bool):
    """H-64: what an actor has open ends with its access, as with the user's; that of others does not."""
    raw = settings_for(demo, api, on_token_expiry="close")
    raw["routes"] = [raw["routes"][0] | {"actor": {"header": "X-Actor-Token", "type": "jwt"}}]
    raw["signals"] = [build_entry(demo.tenant)] if configured else []
    async with running(raw) as proxy, AsyncExitStack() as stack:
        url, token = proxy.url.replace("http", "ws") + "/orders", demo.mint("bob")
        fields = [
            {"Authorization": f"Bearer {token}", "X-Actor-Token": demo.mint(name)}
            for name in ("alice", "agent")
        ]
        hers, its = [
            await stack.enter_async_context(connect(url, additional_headers=each)) for each in fields
        ]
        way = "session-revoked" if configured else "logout"
        assert (await signal(demo, proxy, way)).status_code in (200, 202)
        assert await end_of(hers) == REVOKED
        await stays_open(its)


async def test_those_that_are_to_go_on_go_on(demo: Demo, api: WebSocketAPI):
    """H-64: ``continue``, the default, leaves what is open."""
    raw = settings_for(demo, api) | {"signals": [build_entry(demo.tenant)]}
    async with running(raw) as proxy, dial(proxy, "/orders", demo.mint("alice")) as hers:
        await api.accept()
        await signal(demo, proxy, "session-revoked")
        await stays_open(hers)


@pytest.mark.parametrize("reload", [False, True])
async def test_responses(demo: Demo, reload: bool):
    """H-64: cut visibly, also one that began before a reload."""
    async with RawUpstream([HEAD, STAY]) as upstream:
        raw = settings_for(demo, upstream, on_token_expiry="close") | {"signals": [build_entry(demo.tenant)]}
        async with running(raw) as proxy, connected(proxy.server.address) as client:
            token = demo.mint("alice")
            await client.send(
                f"GET /orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            )
            received = await client.some()
            while not received.endswith(b"first\r\n"):
                received += await client.some()
            if reload:
                cache = replace(proxy.app.settings.cache, max_entries=99)
                proxy.app.adopt(proxy.app.prepare(replace(proxy.app.settings, cache=cache)))
            await signal(demo, proxy, "session-revoked")
            received += await asyncio.wait_for(client.rest(), 5)
            assert received.endswith(b"5\r\nfirst\r\n")
            assert await asyncio.wait_for(upstream.connections[0].closed.wait(), 5)


async def test_a_response_that_begins_after_the_event(demo: Demo):
    """The upstream took its time: what it answers is not for a user without access."""
    sent = asyncio.Event()
    async with RawUpstream([sent, HEAD, STAY]) as upstream:
        raw = settings_for(demo, upstream, on_token_expiry="close") | {"signals": [build_entry(demo.tenant)]}
        async with running(raw) as proxy, connected(proxy.server.address) as client:
            token = demo.mint("alice")
            await client.send(
                f"GET /orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            )
            async with asyncio.timeout(5):
                while not upstream.requests:
                    await asyncio.sleep(0.01)
            await signal(demo, proxy, "session-revoked")
            sent.set()
            assert not (await asyncio.wait_for(client.rest(), 5)).endswith(b"0\r\n\r\n")


async def test_a_request_under_way_gets_no_new_token_after_the_event(demo: Demo):
    """Its upstream takes the old one no more, which would be asked for anew with a subject token of before."""
    answered = asyncio.Event()
    refused = response(status=b"401 Unauthorized")
    async with RawUpstream([response()], [answered, refused], [response()]) as upstream:
        raw = settings_for(demo, upstream) | {"signals": [build_entry(demo.tenant)]}
        async with running(raw) as proxy:
            token = demo.mint("alice")
            assert (await proxy.get("/orders", token)).status_code == 200
            asking = asyncio.ensure_future(proxy.get("/orders", token))
            async with asyncio.timeout(5):
                while len(upstream.requests) < 2:
                    await asyncio.sleep(0.01)
            await signal(demo, proxy, "session-revoked")
            answered.set()
            answer = await asking
            assert (answer.status_code, answer.json()["code"]) == (401, "subject_token_refused")
            assert (demo.calls["token_exchange"], len(upstream.requests)) == (1, 2)
            assert len(proxy.app.parts.store.cache) == 0
