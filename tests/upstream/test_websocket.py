"""Websockets to an upstream: from the connection to the answer to the handshake."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from websockets.exceptions import InvalidStatus

from proxy.demo import Demo
from tests.support.certificates import Authority, server_context
from tests.support.proxy import running
from tests.support.raw_upstream import CLOSE, RESET, STAY, RawUpstream
from tests.support.websocket import WebSocketAPI, dial, refusal, settings_for, until, websocket_api


@pytest.fixture
async def api() -> AsyncIterator[WebSocketAPI]:
    async with websocket_api() as running_api:
        yield running_api


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([RESET], (502, "upstream_unreachable")),
        ([CLOSE], (502, "upstream_unreachable")),
        ([b"HTTP/1.1 101 ", CLOSE], (502, "upstream_unreachable")),
        ([b"nonsense\r\n\r\n", STAY], (502, "upstream_protocol_error")),
        ([b"HTTP/1.1 103 Early\r\n\r\n", STAY], (502, "upstream_protocol_error")),
        (
            [b"HTTP/1.1 101 OK\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", STAY],
            (502, "upstream_protocol_error"),
        ),
        ([b"HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\nshort", CLOSE], (502, "upstream_unreachable")),
        ([STAY], (504, "upstream_timeout")),
    ],
    ids=["reset", "closed", "cut head", "no HTTP", "interim", "another protocol", "cut body", "silence"],
)
async def test_a_broken_upstream(demo: Demo, script, expected):
    """F-11, H-43: the same answers as for any request."""
    async with RawUpstream(script) as upstream:
        raw = settings_for(demo, upstream, timeouts={"response": "300ms"})
        async with running(raw) as proxy:
            status, problem = await refusal(dial(proxy, "/public"))
    assert (status, problem["code"]) == expected


async def test_nobody_listens_upstream(demo: Demo):
    """F-11: 502."""
    async with websocket_api() as api:
        raw = settings_for(demo, api)
    async with running(raw) as proxy:
        status, problem = await refusal(dial(proxy, "/public"))
    assert (status, problem["code"]) == (502, "upstream_unreachable")


@pytest.mark.parametrize("kind", ["tls", "unix"])
async def test_upstreams_of_every_kind(demo: Demo, tmp_path, kind):
    """O-05: https with the route's own authority, and unix sockets."""
    authority = Authority(tmp_path)
    options = {"tls": server_context(authority.issue())} if kind == "tls" else {"path": tmp_path / "s"}
    route = {"tls": {"ca_file": str(authority.ca_file)}} if kind == "tls" else {}
    async with (
        websocket_api(**options) as api,
        running(settings_for(demo, api, **route)) as proxy,
        dial(proxy, "/orders", demo.mint("alice")) as client,
    ):
        await client.send("hello")
        assert await (await api.accept()).recv() == "hello"


async def test_an_untrusted_upstream_certificate(demo: Demo, tmp_path):
    """O-05, H-60: no handshake is sent, and so no token."""
    tls = server_context(Authority(tmp_path).issue())
    async with websocket_api(tls=tls) as api, running(settings_for(demo, api)) as proxy:
        status, problem = await refusal(dial(proxy, "/orders", demo.mint("alice")))
        assert (status, problem["code"]) == (502, "upstream_unreachable")
        assert api.handshakes == []


async def test_websockets_take_places_among_the_connections(demo: Demo, api: WebSocketAPI):
    """F-25, F-22: they count like requests, and leave their place however they end; one user cannot take all."""
    raw = settings_for(demo, api, max_connections=4, timeouts={"connect": "0.3s"})
    async with running(raw) as proxy:
        pool = proxy.app.parts.upstreams["orders"]
        bob, alice = demo.mint("bob"), demo.mint("alice")
        held = [await dial(proxy, "/orders/ws", bob) for _ in range(3)]
        assert (pool.active, pool.idle) == (3, 0)
        status, problem = await refusal(dial(proxy, "/orders/ws", bob))
        assert (status, problem["code"]) == (503, "overloaded")
        async with dial(proxy, "/orders/ws", alice):
            assert pool.active == 4
            assert (await refusal(dial(proxy, "/orders/ws", demo.mint("dave"))))[0] == 503
        api.refuse_with(403, b"no")
        with pytest.raises(InvalidStatus):
            await dial(proxy, "/orders/ws", alice)
        api.refuse = lambda _: None
        await held[0].close()
        held[1].transport.abort()
        await until(lambda: pool.active == 1)
        async with dial(proxy, "/orders/ws", bob):
            assert pool.active == 2
        await held[2].close()
        await until(lambda: pool.active == 0)
        assert pool.waiting == 0


@pytest.mark.parametrize("script", [[CLOSE], [RESET], [b"SSH-2.0\r\n\r\n", CLOSE]], ids=["FIN", "RST", "SSH"])
async def test_a_handshake_that_fails_leaves_its_place(demo: Demo, script):
    """F-22: whatever the upstream says."""
    async with RawUpstream(script) as upstream, running(settings_for(demo, upstream)) as proxy:
        assert (await refusal(dial(proxy, "/orders/ws", demo.mint("bob"))))[0] == 502
        assert proxy.app.parts.upstreams["orders"].active == 0
