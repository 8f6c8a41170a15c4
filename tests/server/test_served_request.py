"""What the application is shown of its request, and of its caller's departure."""

from __future__ import annotations

import asyncio
import sys

import pytest

from proxy.server.protocol import HttpProtocol
from tests.support.compiled import interpreted
from tests.support.raw_client import connected

from .apps import Held, answer, exchange, listening
from .messages import get

GET = get(b"GET / HTTP/1.1")
on_end = HttpProtocol.on_end


@interpreted
async def test_the_application_begins_with_its_request(monkeypatch):
    """From Python 3.12 on no round of the loop passes before anything is done for a request; it has a task always."""
    tasks, begun = [], []

    async def app(scope, receive, send):
        tasks.append(asyncio.current_task())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    def end_and_look(protocol):
        on_end(protocol)
        protocol.loop.call_soon(lambda: begun.append(bool(tasks)))

    monkeypatch.setattr(HttpProtocol, "on_end", end_and_look)
    response = await exchange(app, GET)
    assert response.status == 204
    assert begun == [sys.version_info >= (3, 12)]
    assert None not in tasks


@pytest.mark.parametrize(
    "messages",
    [
        [{"type": "http.response.body"}],
        [{"type": "http.response.start", "status": 200}, {"type": "http.response.start", "status": 200}],
        [{"type": "unheard"}],
    ],
    ids=["body first", "two starts", "another"],
)
async def test_messages_out_of_order_are_the_application_s_fault(messages):
    """ASGI: one start, then bodies."""

    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    assert (await exchange(app, GET)).status == 500


async def test_no_message_follows_the_last():
    """ASGI: the response has ended; the connection goes on."""
    told = []

    async def app(scope, receive, send):
        await answer(send, b"whole")
        told.append(await receive())
        with pytest.raises(RuntimeError):
            await send({"type": "http.response.body"})

    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(GET)
        assert (await client.response()).body == b"whole"
        await client.send(GET)
        assert (await client.response()).body == b"whole"
    assert told[0] == {"type": "http.disconnect"}


@pytest.mark.parametrize("leave", ["close", "reset"])
@pytest.mark.parametrize("request_bytes", [GET, get(b"POST / HTTP/1.1", b"Content-Length: 9") + b"part"])
async def test_a_departure_is_told_once(leave, request_bytes):
    """F-20: the callback is called when the peer leaves, before or after its body was whole."""
    held = Held()
    async with listening(held) as listener, connected(listener.address) as client:
        await client.send(request_bytes)
        await held.begun.wait()
        await client.close() if leave == "close" else client.reset()
        async with asyncio.timeout(5):
            await held.departed.wait()
        held.released.set()
    assert held.departures == 1


async def test_a_departure_is_noticed_while_the_body_is_not_read():
    """F-20: reading is paused, and still the peer's end is seen."""
    held = Held()
    async with listening(held) as listener, connected(listener.address) as client:
        client.writer.write(get(b"POST / HTTP/1.1", b"Content-Length: 100000000") + b"a" * 200_000)
        await held.begun.wait()
        await asyncio.sleep(0.1)
        client.reset()
        async with asyncio.timeout(5):
            await held.departed.wait()
        held.released.set()


async def test_a_departure_wakes_an_application_that_waits():
    """F-20: receive() says http.disconnect, send() has no effect any more, a late callback comes at once."""
    messages = []
    over = asyncio.Event()
    late = asyncio.Event()

    async def app(scope, receive, send):
        messages.append(await receive())
        messages.append(await receive())
        await answer(send, b"into the void")
        scope["extensions"]["obo"].on_departure(late.set)
        scope["extensions"]["obo"].abort()
        over.set()

    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(GET)
        await asyncio.sleep(0.05)
        await client.close()
        async with asyncio.timeout(5):
            await over.wait()
    assert [message["type"] for message in messages] == ["http.request", "http.disconnect"]
    assert late.is_set()


async def test_no_departure_is_told_after_the_response():
    """F-20: a callback that was taken back, or whose response is complete, is not called."""
    held = Held()
    async with listening(held) as listener, connected(listener.address) as client:
        held.released.set()
        await client.send(GET)
        await client.response()
    assert held.departures == 0


async def test_no_departure_is_told_once_the_application_has_returned():
    """F-20: what it left behind is cut by us; nobody need take the callback back."""
    told = asyncio.Event()

    async def app(scope, receive, send):
        scope["extensions"]["obo"].on_departure(told.set)

    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(GET)
        assert (await client.response()).status == 500
    assert not told.is_set()
