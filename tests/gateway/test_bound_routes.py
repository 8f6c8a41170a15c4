"""Tokens that are bound to our certificate reach the APIs that see it, and no others."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from proxy.demo import Demo
from proxy.demo.certificates import Pair, build_server_context
from proxy.demo.listener import Listener
from proxy.demo.orders_api import build_orders_api
from proxy.demo.org import TLS_NAME
from proxy.jose.encoding import encode_base64url
from tests.support.demo import decode
from tests.support.kubelet import Volume
from tests.support.proxy import Running, running
from tests.upstream.requests import until


def content(pair: Pair) -> dict[str, bytes]:
    return {"crt": pair.cert_file.read_bytes(), "key": pair.key_file.read_bytes()}


class Stage:
    """The demo, its server binding tokens, its API over TLS, and our certificate in a volume."""

    def __init__(self, demo: Demo, volume: Volume, api: Listener) -> None:
        self.demo = demo
        self.volume = volume
        self.api = api
        demo.tenant.clients["obo-proxy-tls"].binds_tokens = True

    def settings(self, *, upstream_sees: bool = True, **overrides: Any) -> dict[str, Any]:
        raw = self.demo.settings(way="tls_client_auth", **overrides)
        pair = {"cert_file": str(self.volume / "crt"), "key_file": str(self.volume / "key")}
        for server in raw["authorization_servers"].values():
            server["client"] |= pair
        ca_file = {"ca_file": str(self.demo.authority.ca_file)}
        orders = {"upstream": self.api.url, "tls": ca_file | (pair if upstream_sees else {})}
        raw["routes"] = [raw["routes"][0] | orders]
        return raw

    def rotate(self) -> None:
        self.volume.update(content(self.demo.authority.issue(TLS_NAME)))

    async def call(self, proxy: Running, user: str = "alice") -> tuple[int, dict[str, Any]]:
        answer = await proxy.get("/orders/1", self.demo.mint(user))
        return answer.status_code, answer.json()


@pytest.fixture
async def stage(demo: Demo, tmp_path: Any) -> AsyncIterator[Stage]:
    authority = demo.authority
    own = authority.issue("api", host="127.0.0.1")
    tls = build_server_context(own, authority.ca_file)
    async with Listener(lambda _: build_orders_api(demo.resource), tls=tls) as api:
        yield Stage(demo, Volume(tmp_path / "volume", content(authority.issue(TLS_NAME))), api)


async def test_the_upstream_sees_the_certificate(stage: Stage) -> None:
    """RFC 8705 §3: the token's cnf is the certificate of the connection, from the cache as well."""
    async with running(stage.settings()) as proxy:
        for _ in range(3):
            status, answer = await stage.call(proxy)
            assert status == 200
            assert set(answer["claims"]["cnf"]) == {"x5t#S256"}
        assert stage.demo.calls["token_exchange"] == 1
        metrics = (await proxy.admin.get("/metrics")).text
        assert 'obo_upstream_connections{state="idle",upstream="orders"} 1.0' in metrics


async def test_an_upstream_that_sees_none(stage: Stage) -> None:
    """It would be refused there: told here with its remedy, and not exchanged for anew each time."""
    async with running(stage.settings(upstream_sees=False)) as proxy:
        for _ in range(3):
            status, answer = await stage.call(proxy)
            assert (status, answer["code"]) == (502, "exchange_response_invalid")
        assert stage.demo.calls["token_exchange"] == 1
        [failure] = proxy.app.failures
        assert failure.reason == "the token is bound to a certificate that the upstream is not shown"
        assert failure.remedy.startswith("Let the upstream see the certificate that authenticates us")
        inspection = {"token": stage.demo.mint("alice"), "route": "orders"}
        inspected = (await proxy.admin.post("/api/inspect", json=inspection)).json()
        [step] = [one for one in inspected["steps"] if one["verdict"] == "fail"]
        assert (step["step"], step["summary"]) == ("answer", failure.reason)


async def test_an_upstream_that_sees_another(stage: Stage, tmp_path: Any) -> None:
    """A certificate alone is not enough."""
    raw = stage.settings()
    other = stage.demo.authority.issue("other")
    raw["routes"][0]["tls"] |= {"cert_file": str(other.cert_file), "key_file": str(other.key_file)}
    async with running(raw) as proxy:
        status, answer = await stage.call(proxy)
        assert (status, answer["code"]) == (502, "exchange_response_invalid")


async def test_a_plain_upstream(stage: Stage) -> None:
    """Nor is http, which shows none: nothing is sent there."""
    raw = stage.settings()
    raw["routes"][0] |= {"upstream": stage.demo.api_url, "tls": None}
    async with running(raw) as proxy:
        assert (await stage.call(proxy))[1]["code"] == "exchange_response_invalid"
    assert not stage.demo.api_requests


async def test_rotations(stage: Stage) -> None:
    """Contract 8: cached tokens go on with the certificate that they are bound to, new ones with theirs; none fails."""
    async with running(stage.settings()) as proxy:
        bindings = {}
        for user in ("alice", "bob", "dave"):
            status, answer = await stage.call(proxy, user)
            assert status == 200
            bindings[user] = answer["claims"]["cnf"]["x5t#S256"]
            stage.rotate()
        for user, binding in bindings.items():
            status, answer = await stage.call(proxy, user)
            assert (status, answer["claims"]["cnf"]["x5t#S256"]) == (200, binding)
        assert len(set(bindings.values())) == 3
        assert stage.demo.calls["token_exchange"] == 3


async def test_pools_of_long_ago_end(stage: Stage) -> None:
    """Rotations are without end, connections and memory are not."""
    async with running(stage.settings()) as proxy:
        for number in range(7):
            assert (await stage.call(proxy, f"user-{number}"))[0] == 200
            stage.rotate()
        assert len(proxy.app.parts.bound["orders"].upstreams) == 4


async def test_unbound_tokens_go_as_ever(stage: Stage) -> None:
    """A server that binds nothing: a certificate for the upstream is the route's own matter."""
    stage.demo.tenant.clients["obo-proxy-tls"].binds_tokens = False
    async with running(stage.settings(upstream_sees=False)) as proxy:
        status, answer = await stage.call(proxy)
        assert status == 200
        assert "cnf" not in answer["claims"]
        assert proxy.app.parts.bound["orders"].upstreams == []


async def test_bound_to_both(stage: Stage) -> None:
    """RFC 9449 and RFC 8705 together: the proof and the certificate."""
    async with running(stage.settings(dpop=True)) as proxy:
        for _ in range(2):
            status, answer = await stage.call(proxy)
            assert status == 200
            assert set(answer["claims"]["cnf"]) == {"jkt", "x5t#S256"}


async def test_websockets(stage: Stage) -> None:
    """The handshake's connection shows the certificate that its token is bound to, not the one of now."""
    seen: list[tuple[str, str]] = []

    async def note(websocket: ServerConnection) -> None:
        shown = websocket.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        token = websocket.request.headers["Authorization"].removeprefix("Bearer ")
        seen.append((encode_base64url(hashlib.sha256(shown).digest()), decode(token)["cnf"]["x5t#S256"]))
        await websocket.send("seen")

    own = stage.demo.authority.issue("sockets", host="127.0.0.1")
    tls = build_server_context(own, stage.demo.authority.ca_file)
    async with serve(note, "127.0.0.1", 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        raw = stage.settings()
        raw["routes"][0]["upstream"] = f"https://127.0.0.1:{port}"
        async with running(raw) as proxy:
            headers = {"Authorization": f"Bearer {stage.demo.mint('alice')}"}
            url = proxy.url.replace("http", "ws") + "/orders/echo"
            for _ in range(2):
                async with connect(url, additional_headers=headers) as websocket:
                    assert await websocket.recv() == "seen"
                stage.rotate()
    assert len(seen) == 2
    assert len({thumbprint for pair in seen for thumbprint in pair}) == 1


async def test_a_reload_keeps_what_is_bound(stage: Stage) -> None:
    """Cached tokens serve on after SIGHUP, over connections of the new parts; those of the old ones end."""
    async with running(stage.settings()) as proxy:
        assert (await stage.call(proxy))[0] == 200
        [before] = proxy.app.parts.bound["orders"].upstreams
        assert before.idle == 1
        proxy.app.adopt(proxy.app.prepare(proxy.app.settings))
        assert (await stage.call(proxy))[0] == 200
        assert stage.demo.calls["token_exchange"] == 1
        await until(lambda: before.idle == 0)
