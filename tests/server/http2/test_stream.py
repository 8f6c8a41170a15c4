"""One stream as the application sees it: what it sends and takes, and when it has to wait."""

from __future__ import annotations

import asyncio

import pytest

from proxy.http2.codec import ErrorCode
from proxy.http2.credit import STREAM_WINDOW
from tests.server.apps import Recorder, answer, listening, read_body
from tests.support.http2_client import speaking

PIECE = b"a" * 16 * 1024  # RFC 9113 §4.2: as much as a frame may have
WINDOW = 65_535  # RFC 9113 §6.9.2: what a client gives that says nothing else


async def start(send, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def piece(send, body=b"", *, more=True):
    await send({"type": "http.response.body", "body": body, "more_body": more})


def serving(app, **limits):
    return listening(app, http2=True, **limits)


async def test_a_response_in_pieces():
    async def app(scope, receive, send):
        await start(send, 201, [(b"x-a", b"b")])
        await piece(send, b"one ")
        await piece(send)
        await piece(send, b"two", more=False)

    async with serving(app) as listener, speaking(listener.address) as client:
        response = await client.get()
    assert response.headers == [(b":status", b"201"), (b"x-a", b"b")]
    assert (response.body, response.ended, response.trailers) == (b"one two", True, [])


async def test_a_head_leaves_before_there_is_a_body():
    """As soon as the application says that there is more."""
    released = asyncio.Event()

    async def app(scope, receive, send):
        await start(send)
        await piece(send)
        await released.wait()
        await piece(send, b"body", more=False)

    async with serving(app) as listener, speaking(listener.address) as client:
        stream_id = await client.request()
        await client.until(lambda: client.streams[stream_id].headers)
        released.set()
        assert (await client.response(stream_id)).body == b"body"


@pytest.mark.parametrize("body", [b"", b"body"])
@pytest.mark.parametrize("length", [False, True])
async def test_trailers_end_a_response(body, length):
    async def app(scope, receive, send):
        await start(send, headers=[(b"content-length", b"%d" % len(body))] if length else [])
        await piece(send, body)
        scope["extensions"]["obo"].end([(b"grpc-status", b"0")])
        assert (await receive())["type"] == "http.disconnect"

    async with serving(app) as listener, speaking(listener.address) as client:
        response = await client.get()
    assert (response.body, response.trailers, response.ended) == (body, [(b"grpc-status", b"0")], True)


@pytest.mark.parametrize("trailers", [[], [(b"a", b"b")]])
async def test_an_end_behind_a_head_alone(trailers):
    async def app(scope, receive, send):
        await start(send)
        scope["extensions"]["obo"].end(trailers)

    async with serving(app) as listener, speaking(listener.address) as client:
        response = await client.get()
    assert (response.body, response.trailers, response.ended) == (b"", trailers, True)


BODILESS = {"HEAD": ("HEAD", 200, b"4"), "204": ("GET", 204, None), "304": ("GET", 304, b"4")}


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("method", "status", "length"), BODILESS.values(), ids=BODILESS)
async def test_what_has_no_body_sends_none(method, status, length, whole):
    async def app(scope, receive, send):
        headers = [(b"content-length", b"4")]
        if whole:
            assert scope["extensions"]["obo"].respond(status, headers, b"body")
        else:
            await start(send, status, headers)
            await piece(send, b"bo")
            await piece(send, b"dy", more=False)

    async with serving(app) as listener, speaking(listener.address) as client:
        response = await client.get(method=method)
    assert (response.status, response.body, response.ended) == (status, b"", True)
    assert response.header(b"content-length") == length


@pytest.mark.parametrize("pieces", [[b"more"], [b"m", b"ore"], [b"le"], [b"l", b"e"]])
async def test_a_body_may_not_differ_from_its_length(pieces):
    async def app(scope, receive, send):
        await start(send, headers=[(b"content-length", b"3")])
        for one in pieces[:-1]:
            await piece(send, one)
        await piece(send, pieces[-1], more=False)

    async with serving(app) as listener, speaking(listener.address) as client:
        response = await client.get()
    assert response.status == 500 if len(pieces) == 1 else response.reset == ErrorCode.INTERNAL_ERROR


async def test_a_whole_response_in_one_step():
    async def app(scope, receive, send):
        connection = scope["extensions"]["obo"]
        assert connection.respond(200, [(b"content-length", b"4")], b"body")
        connection.end(())
        connection.abort()

    async with serving(app) as listener, speaking(listener.address) as client:
        response = await client.get()
    assert (response.status, response.body, response.ended, response.reset) == (200, b"body", True, None)


async def test_a_whole_response_without_room_is_not_begun():
    """The application sends it then, and waits."""
    offered = []

    async def app(scope, receive, send):
        body = bytes(WINDOW + 1)
        offered.append(scope["extensions"]["obo"].respond(200, [], body))
        await answer(send, body)

    async with serving(app) as listener, speaking(listener.address) as client:
        response = await client.get()
    assert offered == [False]
    assert len(response.body) == WINDOW + 1


async def test_who_does_not_read_stops_its_stream_alone():
    """What it has taken is its window, what we hold is one piece."""
    sent = []

    async def app(scope, receive, send):
        if scope["path"] == "/":
            await answer(send, b"other")
            return
        await start(send)
        while True:
            await piece(send, PIECE)
            sent.append(len(PIECE))

    async with serving(app) as listener, speaking(listener.address, credit=False) as client:
        stream_id = await client.request("/endless")
        await client.until(lambda: len(client.streams[stream_id].body) == WINDOW)
        assert sum(sent) <= WINDOW
        client.connection.increment_flow_control_window(WINDOW)  # the connection's, not the stream's
        assert (await client.get("/")).body == b"other"
        assert sum(sent) <= WINDOW
        assert listener._state.live()[0].outflow.waiting <= len(PIECE)
        client.connection.increment_flow_control_window(WINDOW, stream_id)
        await client.flush()
        await client.until(lambda: len(client.streams[stream_id].body) > WINDOW)


async def test_streams_share_a_connection_that_is_slow():
    """The second one does not wait for the first to end."""

    async def app(scope, receive, send):
        await answer(send, bytes(2**20))

    async with serving(app) as listener, speaking(listener.address, settings={4: 2**21}) as client:
        first, second = await client.request(), await client.request()
        await client.response(first)
        assert len(client.streams[second].body) > 2**20 - 256 * 1024
        assert len((await client.response(second)).body) == 2**20


async def test_an_application_that_takes_nothing_gets_no_more_than_a_window():
    """And its stream stops no other."""
    released = asyncio.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/held":
            await released.wait()
        body = await read_body(receive)
        await answer(send, b"%d" % len(body))

    async with serving(app) as listener, speaking(listener.address) as client:
        held = await client.request("/held", method="POST", ended=False)
        assert await upload(client, held) == STREAM_WINDOW
        other = await client.request("/", method="POST", ended=False)
        for _ in range(64):
            await client.until(lambda: client.connection.local_flow_control_window(other) >= len(PIECE))
            await client.data(other, PIECE)
        await client.data(other, b"", ended=True)
        assert (await client.response(other)).body == b"%d" % (64 * len(PIECE))
        assert listener._state.live()[0].codec.held == STREAM_WINDOW
        released.set()
        await client.until(lambda: client.connection.local_flow_control_window(held) > 0)
        await client.data(held, b"", ended=True)
        assert (await client.response(held)).body == b"%d" % STREAM_WINDOW


async def upload(client, stream_id) -> int:
    """As much as the server gives room for, after a round trip in which it gives no more; in bytes."""
    sent = 0
    await client.get("/none")
    while room := client.connection.local_flow_control_window(stream_id):
        size = min(room, client.connection.max_outbound_frame_size)
        await client.data(stream_id, bytes(size))
        sent += size
        if sent >= WINDOW:  # a round trip
            await client.get("/none")
    return sent


async def test_credit_comes_once_a_piece_is_passed_on():
    """Not when it is taken: the application may still have it in its hands."""
    taken, passed_on = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/none":
            await answer(send)
            return
        await receive()
        taken.set()
        await passed_on.wait()
        await receive()

    async with serving(app) as listener, speaking(listener.address) as client:
        await client.request(method="POST", body=PIECE, ended=False)
        await taken.wait()
        (connection,) = listener._state.live()
        assert connection.codec.held == len(PIECE)
        passed_on.set()
        await client.get("/none")
        assert connection.codec.held == 0


async def test_a_stream_that_is_over_is_not_written_to():
    """Nor does who tells it to send have to know."""
    departed, done = asyncio.Event(), []

    async def app(scope, receive, send):
        connection = scope["extensions"]["obo"]
        connection.on_departure(departed.set)
        await start(send)
        await departed.wait()
        await piece(send, b"late")
        connection.end([(b"a", b"b")])
        done.append(connection.respond(200, [], b"late"))
        done.append((await receive())["type"])

    async with serving(app) as listener, speaking(listener.address) as client:
        stream_id = await client.request()
        await client.get(head=[(b":method", b"GET")])
        client.connection.reset_stream(stream_id)
        await client.flush()
        await departed.wait()
        assert (await client.get(head=[(b":method", b"GET")])).status == 400
        assert done == [True, "http.disconnect"]
        assert client.streams[stream_id].headers == []


async def test_a_message_of_asgi_that_does_not_fit_is_a_fault_of_the_application():
    async def app(scope, receive, send):
        await piece(send, b"before the head")

    async with serving(app) as listener, speaking(listener.address) as client:
        assert (await client.get()).status == 500


async def test_a_peer_may_change_its_windows_under_way():
    """RFC 9113 §6.9.2: even below zero."""

    async def app(scope, receive, send):
        await answer(send, bytes(2 * WINDOW))

    async with serving(app) as listener, speaking(listener.address, credit=False) as client:
        stream_id = await client.request()
        await client.until(lambda: len(client.streams[stream_id].body) == WINDOW)
        client.connection.update_settings({4: 100})
        client.connection.increment_flow_control_window(2 * WINDOW)
        await client.flush()
        client.connection.increment_flow_control_window(2 * WINDOW, stream_id)
        await client.flush()
        assert len((await client.response(stream_id)).body) == 2 * WINDOW


async def test_a_body_is_gathered_from_small_frames():
    async with serving(Recorder()) as listener, speaking(listener.address) as client:
        stream_id = await client.request(method="POST", ended=False)
        for _ in range(50):
            client.connection.send_data(stream_id, b"ab", pad_length=3)
        client.connection.end_stream(stream_id)
        await client.flush()
        assert (await client.response(stream_id)).body == b"ab" * 50


async def test_a_whole_response_stays_whole_where_the_transport_has_enough():
    """It has been taken to be sent, so it is."""
    sizes = []

    async def app(scope, receive, send):
        body = bytes(2**20)
        if not scope["extensions"]["obo"].respond(200, [], body):
            await answer(send, body)
        sizes.append(len(body))

    async with serving(app) as listener, speaking(listener.address, settings={4: 2**21}) as client:
        client.connection.increment_flow_control_window(2**24)
        streams = [await client.request() for _ in range(10)]
        while len(sizes) < 5:  # the client reads nothing
            await asyncio.sleep(0.01)
        for stream_id in streams:
            response = await client.response(stream_id)
            assert (len(response.body), response.ended) == (2**20, True)


async def test_a_piece_that_is_given_up_ends_its_stream():
    """Part of it may have left: nothing can follow it."""
    done = asyncio.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/":
            await answer(send, b"other")
            return
        await start(send)
        try:
            async with asyncio.timeout(0.1):
                await piece(send, bytes(2 * WINDOW))
        except TimeoutError:
            await piece(send, b"as if nothing had happened", more=False)
        done.set()

    async with serving(app) as listener, speaking(listener.address, credit=False) as client:
        response = await client.get("/given-up")
        assert (response.ended, response.reset) == (False, ErrorCode.INTERNAL_ERROR)
        await done.wait()
        assert listener._state.live()[0].outflow.waiting == 0
        client.connection.increment_flow_control_window(WINDOW)
        assert (await client.get("/")).body == b"other"


async def test_heads_wait_for_the_transport_as_well():
    """A hundred large ones are not gathered for one write."""
    large = [(b"x-%d" % number, b"a" * 15_000) for number in range(4)]
    released = asyncio.Event()
    seen = []

    async def app(scope, receive, send):
        connection = scope["extensions"]["obo"]
        await released.wait()
        await start(send, headers=large)
        await piece(send, b"a", more=False)
        seen.append(connection)

    async with serving(app) as listener, speaking(listener.address) as client:
        client.connection.local_settings.max_header_list_size = 2**20
        streams = [await client.request() for _ in range(50)]
        while listener._state.running < len(streams):
            await asyncio.sleep(0.01)
        (connection,) = listener._state.live()
        writes = []
        take = connection.codec.take

        def note():
            data = take()
            writes.append(len(data))
            return data

        connection.codec.take = note
        released.set()
        for stream_id in streams:
            assert (await client.response(stream_id)).status == 200
        assert max(writes) < 256 * 1024
        del connection.codec.take
