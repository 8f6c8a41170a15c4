"""Nobody holds a connection of HTTP/2 or a stream without using it, and a drain loses none."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import pytest

from proxy.http2 import liveness
from proxy.http2.codec import ErrorCode
from proxy.http2.frames import HEADERS, MAGIC, SETTINGS, build_frame
from proxy.server.http2.flow import TURN
from tests.server.apps import Held, Recorder, answer, listening, read_body
from tests.support.http2_client import speaking
from tests.support.pulled_cable import pull_cable
from tests.support.raw_client import connected

SOON = 0.3  # s: a shortened limit
LATER = 10.0  # s: by then it has long been enforced
PREFACE = MAGIC + build_frame(SETTINGS, 0, 0, b"")
OPENING = build_frame(HEADERS, 0, 1, b"\x82")  # a field block that goes on


def serving(app, **limits):
    return listening(app, http2=True, **limits)


SILENCE = {
    "not a byte": b"",
    "a part of the preface": MAGIC[:10],
    "no SETTINGS": MAGIC,
    "a part of the SETTINGS": PREFACE[:-1],
    "a head that does not end": PREFACE + OPENING,
    "a part of a frame": PREFACE + OPENING[:-1],
}


@pytest.mark.parametrize("sent", SILENCE.values(), ids=SILENCE)
async def test_a_beginning_must_have_its_end(sent):
    """F-30: preface, SETTINGS and a head have the time of a head."""
    async with (
        serving(Recorder(), header_timeout=SOON, linger_timeout=SOON) as listener,
        connected(listener.address) as client,
    ):
        await client.send(sent)
        began = time.monotonic()
        try:
            await client.rest()
        except ConnectionResetError:
            assert sent == SILENCE["a part of the preface"]
        assert SOON * 0.9 < time.monotonic() - began < LATER


async def test_a_head_that_trickles_has_no_more_time():
    """F-30: the deadline is that of the whole head, however many frames it comes in."""
    async with (
        serving(Recorder(), header_timeout=SOON, linger_timeout=SOON) as listener,
        connected(listener.address) as client,
    ):
        await client.send(PREFACE + OPENING)
        ended = asyncio.ensure_future(client.rest())
        began = time.monotonic()
        while not ended.done() and time.monotonic() - began < LATER:
            await client.send(build_frame(9, 0, 1, b"\x82"))
            await asyncio.wait({ended}, timeout=SOON / 3)
        assert ended.done()
        assert time.monotonic() - began < LATER


async def test_an_idle_connection_is_told_and_closed():
    """F-13: after the keep-alive timeout, which PING does not prolong."""
    async with (
        serving(Recorder(), keep_alive_timeout=SOON) as listener,
        speaking(listener.address) as client,
    ):
        await client.get()
        began = time.monotonic()
        reading = asyncio.ensure_future(client.rest())
        while not client.gone and time.monotonic() - began < LATER:
            client.connection.ping(b"12345678")
            await client.flush()
            await asyncio.sleep(SOON / 3)
        assert SOON * 0.9 < time.monotonic() - began < LATER
        await reading
        assert [one.error_code for one in client.gone] == [ErrorCode.NO_ERROR]


async def test_a_connection_with_a_stream_is_not_idle():
    held = Held()
    async with serving(held, keep_alive_timeout=0.1) as listener, speaking(listener.address) as client:
        stream_id = await client.request()
        await asyncio.sleep(SOON)
        held.released.set()
        assert (await client.response(stream_id)).body == b"done"


@pytest.fixture
def quick_to_ask(monkeypatch):
    monkeypatch.setattr(liveness, "QUIET", SOON)
    monkeypatch.setattr(liveness, "ANSWER", SOON)


@pytest.mark.usefixtures("quick_to_ask")
async def test_a_caller_whose_cable_is_pulled():
    """F-20: nothing else would end a stream on which both sides are silent."""
    held = Held()
    async with serving(held) as listener, speaking(listener.address) as client:
        await client.request()
        await held.begun.wait()
        pull_cable(client.writer.get_extra_info("socket"))
        async with asyncio.timeout(LATER):
            await held.departed.wait()
        assert not listener._state.live()


@pytest.mark.usefixtures("quick_to_ask")
@pytest.mark.parametrize("reads", [True, False], ids=["answers", "does not read"])
async def test_a_silent_caller_is_asked_and_kept(*, reads):
    """What it has already it may read as slowly as it likes."""
    held = Held()
    async with serving(held) as listener, speaking(listener.address) as client:
        stream_id = await client.request()
        await held.begun.wait()
        if reads:
            response = asyncio.ensure_future(client.response(stream_id))
        await asyncio.sleep(4 * SOON)
        held.released.set()
        response = await (response if reads else client.response(stream_id))
        assert response.body == b"done"
        assert held.departures == 0


@pytest.mark.parametrize("piece", [b"", b"a"], ids=["stops", "trickles"])
async def test_a_body_must_keep_moving(piece):
    """F-30: else it is answered by 408, and another stream goes on."""
    async with serving(Recorder(), body_timeout=SOON) as listener, speaking(listener.address) as client:
        stream_id = await client.request(method="POST", body=b"begun", ended=False)
        began = time.monotonic()
        answered = asyncio.ensure_future(client.response(stream_id))
        while not answered.done() and time.monotonic() - began < LATER:
            if piece:
                await client.data(stream_id, piece)
            await asyncio.wait({answered}, timeout=SOON / 4)
        response = await answered
        assert (response.status, json.loads(response.body)["code"]) == (408, "request_timeout")
        assert (await client.get()).status == 200


async def test_a_bodys_time_does_not_run_while_the_application_works():
    """F-30: only the time counts in which a piece of the body is waited for."""

    async def app(scope, receive, send):
        await receive()
        await asyncio.sleep(2 * SOON)
        await answer(send, await read_body(receive))

    async with serving(app, body_timeout=SOON) as listener, speaking(listener.address) as client:
        stream_id = await client.request(method="POST", body=b"begun", ended=False)
        await asyncio.sleep(1.5 * SOON)
        await client.data(stream_id, b"rest", ended=True)
        assert (await client.response(stream_id)).body == b"rest"


async def test_a_stream_whose_peer_takes_nothing_is_cut():
    """F-23: and no other."""

    async def app(scope, receive, send):
        await answer(send, bytes(2**20) if scope["path"] == "/large" else b"other")

    async with (
        serving(app, write_timeout=SOON) as listener,
        speaking(listener.address, credit=False) as client,
    ):
        client.connection.increment_flow_control_window(2**20)  # of the connection
        response = await client.get("/large")
        assert (response.ended, response.reset) == (False, ErrorCode.INTERNAL_ERROR)
        assert (await client.get("/")).body == b"other"


async def test_a_connection_whose_peer_takes_nothing_is_cut():
    """F-23: one that reads, and gives no room to any stream."""

    async def app(scope, receive, send):
        await answer(send, bytes(2**20))

    async with (
        serving(app, write_timeout=SOON) as listener,
        speaking(listener.address, credit=False, settings={4: 2**20}) as client,
    ):
        with pytest.raises(EOFError):
            await client.response(await client.request())


async def test_a_connection_whose_peer_does_not_read_is_cut():
    """F-23: where windows are wide, the transport shows it."""
    over = asyncio.Event()

    async def app(scope, receive, send):
        scope["extensions"]["obo"].on_departure(over.set)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not over.is_set():
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})

    async with (
        serving(app, write_timeout=SOON) as listener,
        speaking(listener.address, settings={4: 2**31 - 1}) as client,
    ):
        sock = client.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.reader._transport.pause_reading()
        client.connection.increment_flow_control_window(2**31 - 2**17)
        await client.request()
        async with asyncio.timeout(20):
            await over.wait()
        (connection,) = listener._state.live() or (None,)
        if connection is not None:
            assert connection.outflow.waiting <= 65536
            assert connection.transport.get_write_buffer_size() < 256 * 1024


async def test_a_refusal_that_is_not_taken_is_not_kept():
    """It waits for room as everything does, and no longer."""
    async with (
        serving(Recorder(), write_timeout=SOON) as listener,
        speaking(listener.address, settings={4: 0}) as client,
    ):
        response = await client.get("no path")
        assert (response.ended, response.reset) == (False, ErrorCode.INTERNAL_ERROR)
        assert listener._state.live()[0].outflow.waiting == 0


async def test_a_drain_is_told_before_it_counts():
    """RFC 9113 §6.8: what comes until the second GOAWAY is served, and what was begun is finished."""
    held = Held()

    async def app(scope, receive, send):
        await (held(scope, receive, send) if scope["path"] == "/held" else answer(send, b"served"))

    async with serving(app, linger_timeout=0.1) as listener, speaking(listener.address) as client:
        running = await client.request("/held")
        await held.begun.wait()
        listener.announce_end()
        assert (await client.get()).body == b"served"
        listener.stop()
        await client.until(lambda: client.gone)
        assert client.gone[0].last_stream_id == 2**31 - 1
        last = await client.request()
        assert (await client.response(last)).body == b"served"
        await client.until(lambda: len(client.gone) == 2)
        assert client.gone[1].last_stream_id == last
        late = await client.request()
        assert (await client.response(late)).reset == ErrorCode.REFUSED_STREAM
        held.released.set()
        assert (await client.response(running)).body == b"done"
        await client.rest()
        await listener.quiet()
        assert [one.error_code for one in client.gone] == [ErrorCode.NO_ERROR] * 2


async def test_a_drain_that_takes_too_long_cuts_visibly():
    held = Held()
    async with serving(held) as listener, speaking(listener.address) as client:
        stream_id = await client.request()
        await held.begun.wait()
        listener.stop()
        await listener.abort()
        with pytest.raises(EOFError):
            await client.until(lambda: client.streams[stream_id].ended)
        assert held.departures == 1
        assert listener._state.running == 0


async def test_a_peer_that_says_goodbye_is_served_to_its_end():
    """RFC 9113 §6.8: it opens no more streams, and those it has go on."""
    held = Held()
    async with serving(held) as listener, speaking(listener.address) as client:
        stream_id = await client.request()
        await held.begun.wait()
        await client.send_raw(build_frame(7, 0, 0, bytes(8)))
        held.released.set()
        assert (await client.response(stream_id)).body == b"done"
        await client.rest()
        assert [one.error_code for one in client.gone] == [ErrorCode.NO_ERROR]


async def test_slow_links_shared_by_many_streams_are_borne():
    """F-23: who takes what the rate asks for, altogether, is not cut for any one stream's sake."""
    total, streams = 8 * TURN, 8

    async def app(scope, receive, send):
        await answer(send, bytes(total))

    rate = 200_000
    async with (
        serving(app, write_timeout=SOON, least_rate=rate / 2) as listener,
        speaking(listener.address, credit=False, settings={4: 2**20}) as client,
    ):
        for _ in range(streams):
            await client.request()
        reading = asyncio.ensure_future(client.rest())
        began = time.monotonic()
        while (passed := time.monotonic() - began) < 4 * SOON:
            client.connection.increment_flow_control_window(int(rate * 0.05))
            await client.flush()
            await asyncio.sleep(0.05)
            assert not reading.done(), passed
        reading.cancel()
        assert {one.reset for one in client.streams.values()} == {None}


async def test_a_refusal_for_want_of_a_body_is_said_once():
    """And waits for room like any answer, whatever else comes of the body."""
    async with (
        serving(Recorder(), body_timeout=SOON) as listener,
        speaking(listener.address, settings={4: 0}) as client,
    ):
        stream_id = await client.request(
            "/", (b"content-length", b"9"), method="POST", body=b"begun", ended=False
        )
        response = client.streams[stream_id]
        await client.until(lambda: response.headers)
        await client.data(stream_id, b"more than that")
        await asyncio.sleep(SOON)
        client.connection.update_settings({4: 65_535})
        await client.flush()
        await client.until(lambda: response.ended)
        assert json.loads(response.body)["code"] == "request_timeout"


async def test_a_response_that_waits_is_not_cut_for_the_requests_sake():
    """Once its application takes no more of it."""

    async def app(scope, receive, send):
        reading = asyncio.ensure_future(read_body(receive))
        await asyncio.sleep(0)
        reading.cancel()
        await answer(send, b"enough")

    async with (
        serving(app, body_timeout=SOON) as listener,
        speaking(listener.address, settings={4: 0}) as client,
    ):
        stream_id = await client.request(
            "/", (b"content-length", b"9"), method="POST", body=b"begun", ended=False
        )
        response = client.streams[stream_id]
        await client.until(lambda: response.headers)
        await asyncio.sleep(2 * SOON)
        client.connection.update_settings({4: 65_535})
        await client.flush()
        await client.until(lambda: response.ended)
        assert response.body == b"enough"
