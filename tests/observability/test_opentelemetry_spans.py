"""Traces, as a real collector is sent them, and without a collector."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from proxy.config.faults import ConfigurationError
from proxy.config.models import Tracing
from proxy.demo import Demo
from proxy.wiring.parts import build_tracing
from tests.support.collector import Collector
from tests.support.proxy import running

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
SERVER, CLIENT = 2, 3


def traced(demo: Demo, collector: Collector) -> dict[str, Any]:
    return demo.settings(tracing={"otlp_endpoint": collector.url})


def find(collector: Collector, name: str) -> dict[str, Any]:
    (span,) = [span for span in collector.spans if span["name"] == name]
    return span


async def test_one_trace_from_the_caller_to_the_api(demo: Demo):
    """A request, its exchange and its upstream are spans of the caller's trace; the API continues ours."""
    async with Collector() as collector, running(traced(demo, collector)) as proxy:
        headers = {"traceparent": TRACEPARENT, "tracestate": "congo=t61", "X-Request-Id": "r-1"}
        answer = await proxy.get("/orders/7", demo.mint("alice"), **headers)
        assert answer.status_code == 200
        seen = demo.api_requests[-1].headers
    request, upstream = find(collector, "GET orders"), find(collector, "GET")
    exchange = find(collector, "exchange token_exchange")
    assert {span["trace"] for span in (request, upstream, exchange)} == {TRACE}
    assert (request["parent"], request["kind"]) == (PARENT, SERVER)
    assert (exchange["parent"], exchange["kind"]) == (request["id"], CLIENT)
    assert (upstream["parent"], upstream["kind"]) == (request["id"], CLIENT)
    assert [value for name, value in seen if name == "traceparent"] == [f"00-{TRACE}-{upstream['id']}-01"]
    assert [value for name, value in seen if name == "tracestate"] == ["congo=t61"]
    assert request["attributes"] == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "obo.departed": False,
        "obo.request_id": "r-1",
        "obo.route": "orders",
    }
    told = exchange["attributes"]
    assert (told["obo.outcome"], told["obo.audience"], told["obo.scopes"]) == (
        "ok",
        "api://orders",
        "orders:read",
    )
    assert "obo.okta_request_id" in told
    assert not [name for name in told if "subject" in name or "issuer" in name]
    assert exchange["seconds"] <= request["seconds"]
    assert collector.resource["service.name"] == "obo-proxy"
    assert collector.targets == {"/v1/traces"}


async def test_what_was_refused(demo: Demo):
    """A refusal names its code; a fault of ours or the upstream's is an error; no exception text goes along."""
    async with Collector() as collector, running(traced(demo, collector)) as proxy:
        await proxy.get("/orders")
        await demo.orders_api.stop()
        await proxy.get("/orders", demo.mint("alice"))
    missing, unreachable = (span for span in collector.spans if span["name"] == "GET orders")
    assert missing["attributes"]["error.type"] == "subject_token_missing"
    assert missing["attributes"]["http.response.status_code"] == 401
    assert not missing["error"]
    assert unreachable["attributes"]["error.type"] == "upstream_unreachable"
    assert unreachable["error"]
    assert not any(span["events"] for span in collector.spans)


async def test_a_malformed_trace_is_not_continued(demo: Demo):
    """H-52: a trace of our own begins instead."""
    async with Collector() as collector, running(traced(demo, collector)) as proxy:
        await proxy.get("/public", traceparent=TRACEPARENT.upper())
    assert find(collector, "GET public")["parent"] == ""


async def test_websockets_carry_the_trace_on(demo: Demo):
    """The handshake is the request."""
    seen = []

    async def note(connection: ServerConnection) -> None:
        seen.append(connection.request.headers["traceparent"])

    async with Collector() as collector, serve(note, "127.0.0.1", 0) as api:
        raw = traced(demo, collector)
        port = api.sockets[0].getsockname()[1]
        raw["routes"] = [raw["routes"][0] | {"upstream": f"http://127.0.0.1:{port}"}]
        async with running(raw) as proxy:
            headers = {"Authorization": f"Bearer {demo.mint('alice')}", "traceparent": TRACEPARENT}
            async with connect(
                proxy.url.replace("http", "ws") + "/orders", additional_headers=headers
            ) as websocket:
                await websocket.wait_closed()
    assert find(collector, "GET orders")["trace"] == TRACE
    upstream = find(collector, "GET")
    assert upstream["attributes"]["http.response.status_code"] == 101
    assert seen == [f"00-{TRACE}-{upstream['id']}-01"]


@pytest.mark.parametrize("traceparent", [TRACEPARENT, "00-no-trace-01"], ids=["sound", "malformed"])
async def test_without_tracing_a_sound_trace_goes_on_untouched(demo: Demo, traceparent: str):
    """H-52: and a malformed one does not."""
    async with running(demo.settings()) as proxy:
        answer = await proxy.get("/orders", demo.mint("alice"), traceparent=traceparent, tracestate="a=1")
    expected = (traceparent, "a=1") if traceparent == TRACEPARENT else (None, None)
    seen = answer.json()["headers"]
    assert (seen.get("traceparent"), seen.get("tracestate")) == expected


async def test_a_collector_that_is_away_costs_no_request(demo: Demo, unused_tcp_port: int):
    """Spans are lost, requests are not, and the end comes in time."""
    raw = demo.settings(tracing={"otlp_endpoint": f"http://127.0.0.1:{unused_tcp_port}/v1/traces"})
    async with asyncio.timeout(20), running(raw) as proxy:
        assert (await proxy.get("/orders", demo.mint("alice"))).status_code == 200


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector", "https://"])
def test_an_endpoint_that_is_no_url(endpoint: str):
    """A fault at the start, by the name of its key."""
    with pytest.raises(ConfigurationError, match=r"tracing.otlp_endpoint: not an absolute"):
        build_tracing(Tracing(otlp_endpoint=endpoint))


CHECK = """
import sys
{before}
from proxy.config.faults import ConfigurationError
from proxy.config.models import Tracing
from proxy.wiring.parts import build_tracing
import proxy.app
try:
    print(build_tracing(Tracing(otlp_endpoint={endpoint!r})))
except ConfigurationError as error:
    print(error)
print("opentelemetry" in sys.modules)
"""


@pytest.mark.parametrize(
    ("before", "endpoint", "printed"),
    [
        ("", None, "None\nFalse\n"),
        (
            "sys.modules['opentelemetry'] = None",
            "http://x",
            "tracing.otlp_endpoint: needs OpenTelemetry: pip install 'obo-proxy[otel]'\nTrue\n",
        ),
    ],
    ids=["not asked for", "not installed"],
)
def test_the_extra(before: str, endpoint: str | None, printed: str):
    """Off, nothing of it is imported; asked for without the extra, the start says what to install."""
    code = CHECK.format(before=before, endpoint=endpoint)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == printed
