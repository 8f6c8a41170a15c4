"""Which lines a request leaves in the log, and the id that ties them together."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import pytest

from proxy.config.models import Log
from proxy.demo import Demo
from proxy.demo.org import SERVICE_ID
from proxy.observability.logs import configure
from tests.support.proxy import Running, running


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


@asynccontextmanager
async def logged(raw: dict[str, Any], lines: list[dict[str, Any]], **log: Any) -> AsyncIterator[Running]:
    """The proxy; when this ends, ``lines`` are what it logged."""
    stream = io.StringIO()
    logs = configure(Log(**log), stream)
    async with running(raw | {"log": log}) as proxy:
        yield proxy
    logs.stop()
    lines += [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_one_canonical_line_for_each_exchange(demo: Demo):
    """O-04: who asked whom for what in whose name, and what came of it; hits leave none."""
    lines: list[dict[str, Any]] = []
    async with logged(demo.settings(), lines) as proxy:
        for _ in range(3):
            await proxy.get("/orders", demo.mint("alice"), **{"X-Request-Id": "r-1"})
    (line,) = [line for line in lines if line["event"] == "exchange"]
    assert line.pop("seconds") > 0
    assert line.pop("okta_request_id")
    del line["time"]
    assert line == {
        "level": "info",
        "logger": "proxy.app",
        "event": "exchange",
        "request_id": "r-1",
        "authorization_server": "orders",
        "issuer": demo.issuer(),
        "subject": sha256(f"{demo.issuer()}|alice".encode()).hexdigest()[:16],
        "client_id": SERVICE_ID,
        "grant": "token_exchange",
        "audience": "api://orders",
        "scopes": "orders:read",
        "outcome": "ok",
        "tries": 1,
        "status": 200,
    }


async def test_a_refused_exchange_says_why_and_what_to_do(demo: Demo):
    """O-04: code, cause and remedy, under the request's id, and one line for the refused request."""
    lines: list[dict[str, Any]] = []
    async with logged(demo.settings(), lines) as proxy:
        answer = await proxy.get("/payroll", demo.mint("alice"))
        request_id = answer.json()["request_id"]
        assert answer.headers["x-request-id"] == request_id
    exchange, refusal = [line for line in lines if line.get("request_id") == request_id]
    assert (exchange["event"], refusal["event"]) == ("exchange", "request refused")
    assert exchange["outcome"] == refusal["code"] == "exchange_denied"
    assert exchange["oauth_error"] == refusal["oauth_error"] == "access_denied"
    assert exchange["reason"]
    assert refusal["remedy"]
    assert (refusal["status"], refusal["route"]) == (403, "payroll")


async def test_a_grant_without_a_user_names_none(demo: Demo):
    """Client credentials: neither issuer nor subject, whoever caused it."""
    lines: list[dict[str, Any]] = []
    async with logged(demo.settings(), lines) as proxy:
        await proxy.get("/reports", demo.mint("alice"))
    (line,) = [line for line in lines if line["event"] == "exchange"]
    assert line["grant"] == "client_credentials"
    assert not {"issuer", "subject"} & line.keys()


@pytest.mark.parametrize("access", [True, False], ids=["asked for", "not asked for"])
async def test_a_line_for_each_request_when_asked(demo: Demo, access: bool):
    """``log.access``: route, method, status and time; no path, which may name users."""
    lines: list[dict[str, Any]] = []
    async with logged(demo.settings(), lines, access=access) as proxy:
        await proxy.get("/orders/7?secret=1", demo.mint("alice"))
        await proxy.get("/nowhere")
    told = [line for line in lines if line["event"] == "request"]
    assert [(line["route"], line["status"]) for line in told if "route" in line] == [("orders", 200)] * access
    assert len(told) == 2 * access
    for line in told:
        assert line["method"] == "GET"
        assert line["seconds"] >= 0
        assert line["request_id"]
        assert "path" not in line


async def test_one_id_from_end_to_end(demo: Demo):
    """H-52: a sane id of the caller's goes on; an unsound one is replaced, and never logged."""
    lines: list[dict[str, Any]] = []
    async with logged(demo.settings(), lines, access=True) as proxy:
        for given in ("caller-1", "a\x1b[31m", "x" * 129):
            await proxy.client.get("/public", headers=[(b"x-request-id", given.encode())])
    sent = [dict(request.headers)["x-request-id"] for request in demo.api_requests]
    assert sent[0] == "caller-1"
    served = [line for line in lines if line["event"] == "request" and line["status"] == 200]
    assert [line["request_id"] for line in served] == sent
    assert all(len(one) == 32 for one in sent[1:])
