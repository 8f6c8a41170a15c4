"""Which ports of a whole proxy speak HTTP/2, and what its callers and metrics see."""

from __future__ import annotations

import json

import pytest

from proxy.demo import Demo
from proxy.http2.frames import MAGIC
from tests.support.http2_client import speaking
from tests.support.proxy import running
from tests.support.raw_client import connected


@pytest.fixture
async def demo():
    async with Demo() as demo:
        yield demo


def bearer(demo) -> tuple[bytes, bytes]:
    return b"authorization", b"Bearer " + demo.mint("alice").encode()


async def test_a_request_goes_all_the_way(demo):
    """By HTTP/2 here and by HTTP/1.1 from there on, with a body both ways."""
    raw = demo.settings()
    async with running({**raw, "listen": {"http2": True}}) as proxy, speaking(proxy.server.address) as client:
        answer = await client.get("/orders/1", bearer(demo))
        assert answer.status == 200, answer.body
        assert "connection" not in dict(answer.headers)
        posted = await client.get("/orders", bearer(demo), method="POST", body=b'{"a": 1}')
        assert posted.status < 500
        refused = await client.get("/orders/1")
        assert (refused.status, json.loads(refused.body)["code"]) == (401, "subject_token_missing")
        faulty = await client.get("no path")
        assert faulty.status == 400
        metrics = (await proxy.admin.get("/metrics")).text
    assert 'status="401"' in metrics
    assert 'status="400"' in metrics


async def test_gateways_may_ask_by_it(demo):
    """The authorizer's port speaks it as well."""
    raw = {**demo.settings(), "listen": {"http2": True}, "authorizer": {}}
    async with running(raw) as proxy, speaking(proxy.server.authorizer_address) as client:
        assert (await client.get("/none")).status in {401, 404}


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/envoy/orders/1", [], 401),
        ("/envoy/orders/1", [(b"authorization", b"Bearer a.b.c")], 401),
        ("/envoy/nowhere", [], 404),
        ("/forward", [], 400),
        ("/none", [], 404),
        ("/envoy/orders/1", [(b"x-long", b"x" * 17_000)], 431),
    ],
)
async def test_who_asks_for_a_call_of_grpcs_is_never_told_200(demo, path, fields, status):
    """A gateway lets a request pass by that status, which refusals in gRPC's form have."""
    raw = {**demo.settings(), "listen": {"http2": True}, "authorizer": {}}
    async with running(raw) as proxy, speaking(proxy.server.authorizer_address) as client:
        answer = await client.get(path, (b"content-type", b"application/grpc"), *fields)
        assert answer.status == status
        assert answer.header(b"grpc-status") is None


@pytest.mark.parametrize("http2", [True, False])
async def test_the_admin_port_does_not(demo, http2):
    async with (
        running({**demo.settings(), "listen": {"http2": http2}}) as proxy,
        connected(proxy.server.admin_address) as client,
    ):
        await client.send(MAGIC)
        assert (await client.response()).status == 400
