"""Memory for what all connections of HTTP/2 hold together."""

from __future__ import annotations

import asyncio

import pytest

from proxy.server.http2.allowance import STREAMS
from tests.server.apps import answer, listening, read_body
from tests.support.http2_client import speaking
from tests.upstream.requests import until

HELD = 96 * 1024  # bytes: less than a window, more than what a connection may hold without being noted


@pytest.fixture(autouse=True)
def little(monkeypatch):
    monkeypatch.setattr(STREAMS, "limit", 5 * HELD // 2)


async def upload(client, path="/held"):
    stream_id = await client.request(path, method="POST", ended=False)
    await client.until(lambda: client.connection.local_flow_control_window(stream_id) >= HELD)
    for _ in range(HELD // 16_384):
        await client.data(stream_id, bytes(16_384))


async def test_who_holds_most_gives_up():
    """Requests that nobody reads: of three connections the one with two of them is cut."""

    async def app(scope, receive, send):
        if scope["path"] == "/held":
            await asyncio.Event().wait()
        await answer(send, await read_body(receive))

    async with (
        listening(app, http2=True) as listener,
        speaking(listener.address) as one,
        speaking(listener.address) as greedy,
    ):
        await upload(greedy)
        await upload(greedy)
        assert (await greedy.get()).status == 200
        await upload(one)
        await greedy.rest()
        assert (await one.get()).status == 200
        assert HELD <= STREAMS.held <= STREAMS.limit
    assert STREAMS.held == 0


async def test_responses_that_wait_count_as_well():
    """What streams wait to send is held here, too."""

    async def app(scope, receive, send):
        await answer(send, bytes(HELD))

    async with (
        listening(app, http2=True) as listener,
        speaking(listener.address, settings={4: 0}) as client,
    ):
        streams = [await client.request() for _ in range(2)]
        await client.until(lambda: all(client.streams[one].headers for one in streams))
        assert STREAMS.held == 2 * HELD
        await client.request()
        await client.rest()
    assert STREAMS.held == 0


async def test_what_waits_for_the_transport_counts_as_well():
    """A peer that gives room for much, and reads nothing."""
    released = asyncio.Event()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await released.wait()
        await send({"type": "http.response.body", "body": bytes(HELD), "more_body": False})

    async with listening(app, http2=True) as listener, speaking(listener.address) as client:
        streams = [await client.request() for _ in range(2)]
        while listener._state.running < 2:
            await asyncio.sleep(0.01)
        (connection,) = listener._state.live()
        connection.pause_writing()
        released.set()
        await until(lambda: STREAMS.held == 2 * HELD)
        connection.resume_writing()
        assert [len((await client.response(one)).body) for one in streams] == [HELD] * 2
        assert STREAMS.held == 0


async def test_what_is_passed_on_does_not_count():
    async def app(scope, receive, send):
        await answer(send, b"%d" % len(await read_body(receive)))

    async with listening(app, http2=True) as listener, speaking(listener.address) as client:
        for _ in range(8):
            await upload(client, "/taken")
            assert (await client.get()).status == 200
        assert STREAMS.held == 0
