"""The ASGI app of the public port, under a server that knows nothing of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from proxy.app import App, build_app
from proxy.config.load import parse_settings
from proxy.errors import HeaderTooLarge

from .support.raw_upstream import CLOSE, STAY, RawUpstream, response

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


@asynccontextmanager
async def living(upstream: str, **more: Any) -> AsyncIterator[App]:
    """An app with one public route, from the start to the end of its lifespan."""
    route = {"name": "all", "path": "/api", "upstream": upstream, "grant": "none"}
    app = build_app(parse_settings({"routes": [route], **more}))
    events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    told: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.create_task(app({"type": "lifespan"}, events.get, told.put))
    await events.put({"type": "lifespan.startup"})
    assert await told.get() == {"type": "lifespan.startup.complete"}
    yield app
    await events.put({"type": "lifespan.shutdown"})
    assert await told.get() == {"type": "lifespan.shutdown.complete"}
    await life


class Caller:
    """A caller of another server's: ``messages`` come first, and a departure once ``gone`` is set."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages) or [{"type": "http.request", "body": b"", "more_body": False}]
        self.gone = asyncio.Event()
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if self.messages:
            return self.messages.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


async def call(app: App, caller: Caller, path: str = "/api/a", method: str = "GET", **headers: str) -> None:
    fields = [
        (b"host", b"a"),
        *((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()),
    ]
    scope = {
        "type": "http", "method": method, "scheme": "http", "http_version": "1.1", "raw_path": path.encode(),
        "query_string": b"", "headers": fields, "client": ("10.0.0.1", 5),
    }  # fmt: skip
    await app(scope, caller.receive, caller.send)


def counted(app: App) -> dict[tuple[str, int], int]:
    """Requests by route and status."""
    return {key: count for key, count in app.metrics.requests.items() if count}


async def test_a_request_is_forwarded_and_counted():
    """O-03: by its route and its status."""
    async with RawUpstream([response(b"hello")]) as upstream, living(upstream.url) as app:
        caller = Caller()
        await call(app, caller)
        assert (caller.status, caller.body) == (200, b"hello")
        assert counted(app) == {("all", 200): 1}


async def test_a_refusal_is_a_problem_document():
    """X-22: where no route is known, and with the caller's request id."""
    async with RawUpstream() as upstream, living(upstream.url) as app:
        caller = Caller()
        await call(app, caller, "/nowhere", x_request_id="r-1")
        assert (caller.status, json.loads(caller.body)["code"]) == (404, "no_route")
        assert json.loads(caller.body)["request_id"] == "r-1"
        assert upstream.connections == []
        assert counted(app) == {("", 404): 1}


async def test_a_response_that_breaks_off_is_not_ended():
    """F-10: the server sees a body that is not whole, and cuts; it is counted as what was begun."""
    async with RawUpstream([HEAD + b"half", CLOSE]) as upstream, living(upstream.url) as app:
        caller = Caller()
        await call(app, caller)
        assert caller.status == 200
        assert caller.sent[-1]["more_body"] is True
        assert app.metrics.broken_off["all"] == 1


@pytest.mark.parametrize(
    ("script", "status", "phase"),
    [([STAY], 499, "before_response"), ([HEAD + b"half", STAY], 200, "during_response")],
    ids=["waiting", "in the response"],
)
async def test_a_departure_ends_what_is_done_for_the_caller(script: list[Any], status: int, phase: str):
    """F-20: the upstream's connection is closed, and the departure counted by its phase."""
    async with RawUpstream(script) as upstream, living(upstream.url) as app:
        caller = Caller()
        serving = asyncio.create_task(call(app, caller))
        async with asyncio.timeout(5):
            while not upstream.requests or (status == 200 and not caller.sent):
                await asyncio.sleep(0.001)
            caller.gone.set()
            await serving
            await upstream.connections[0].closed.wait()
        assert counted(app) == {("all", status): 1}
        assert app.metrics.departures[phase] == 1


async def test_a_body_that_breaks_off_is_a_departure():
    """F-20: nobody is left to answer, and nothing is sent."""
    async with RawUpstream([STAY]) as upstream, living(upstream.url) as app:
        caller = Caller(
            {"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}
        )
        await call(app, caller, method="POST", content_length="10")
        assert caller.sent == []
        assert app.metrics.departures["before_response"] == 1


async def test_a_cancellation_of_the_servers_is_not_kept():
    """F-34: it ends the request, whoever the caller is."""
    async with RawUpstream([STAY]) as upstream, living(upstream.url) as app:
        serving = asyncio.create_task(call(app, Caller()))
        while not upstream.requests:
            await asyncio.sleep(0.001)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving


async def test_a_reload_is_for_the_next_request():
    """F-39: what is under way ends as it began; what was only prepared changes nothing."""
    gate = asyncio.Event()
    async with (
        RawUpstream([gate, response(b"old")]) as old,
        RawUpstream([response(b"new")]) as new,
        living(old.url) as app,
    ):
        before, after = Caller(), Caller()
        serving = asyncio.create_task(call(app, before))
        while not old.requests:
            await asyncio.sleep(0.001)
        route = {"name": "all", "path": "/api", "upstream": new.url, "grant": "none"}
        settings = parse_settings({"routes": [route]})
        app.discard(app.prepare(settings))
        app.adopt(app.prepare(settings))
        await call(app, after)
        assert after.body == b"new"
        gate.set()
        await serving
        assert before.body == b"old"


async def test_what_the_server_refuses_is_counted_once():
    """O-03: here where the app has not begun the request, by its route where it has."""
    async with RawUpstream() as upstream, living(upstream.url) as app:
        app.refuse(HeaderTooLarge(), method="GET", request_id="r", begun=True)
        assert counted(app) == {}
        status, _, _ = app.refuse(HeaderTooLarge(), method="GET", request_id="r", begun=False)
        assert status == 431
        assert counted(app) == {("", 431): 1}
        assert [(one.code, one.count) for one in app.failures] == [("header_too_large", 2)]


async def test_a_departure_before_a_refusal_is_heard_is_a_departure():
    """F-20: not a fault of the app's, and counted."""
    async with RawUpstream() as upstream, living(upstream.url) as app:
        scope = {
            "type": "websocket", "scheme": "ws", "http_version": "1.1", "raw_path": b"/nowhere", "query_string": b"",
            "headers": [],
            "client": ("10.0.0.1", 5), "subprotocols": [], "extensions": {"websocket.http.response": {}},
        }  # fmt: skip

        async def send(message: dict[str, Any]) -> None:
            raise OSError("gone")

        await app(scope, Caller({"type": "websocket.connect"}).receive, send)
        assert sum(app.metrics.departures.values()) == 1
