"""One connection of HTTP/2 between a real socket and an application."""

from __future__ import annotations

import asyncio
import json
import ssl

import pytest

from proxy.config.models import ListenTLS
from proxy.http2.codec import ErrorCode
from proxy.http2.frames import MAGIC, SETTINGS, build_frame, build_go_away
from proxy.server.http2.protocol import MAX_STREAMS
from tests.server.apps import Held, Recorder, answer, listening, read_body
from tests.support.certificates import Authority
from tests.support.http2_client import Http2Response, speaking
from tests.support.raw_client import connected

HEAD = {b":method": b"GET", b":scheme": b"http", b":authority": b"api.example", b":path": b"/"}


def head(**changes):
    """A sound head but for ``changes``; None leaves one out."""
    fields = HEAD | {b":" + name.encode(): value for name, value in changes.items()}
    return [(name, value) for name, value in fields.items() if value is not None]


def open_stream(client, **changes):
    """Begin a request that leaves with the next flush."""
    stream_id = client.connection.get_next_available_stream_id()
    client.streams[stream_id] = Http2Response()
    client.connection.send_headers(stream_id, head(**changes), end_stream=True)
    return stream_id


async def test_a_request_reaches_the_application_as_asgi_says():
    recorder = Recorder()
    async with listening(recorder, http2=True) as listener, speaking(listener.address) as client:
        response = await client.get("/a%20b?c=d", (b"x-a", b"b"), method="POST", body=b"body")
    assert (response.status, response.body) == (200, b"body")
    ((scope, body),) = recorder.requests
    assert body == b"body"
    assert scope["type"] == "http"
    assert scope["http_version"] == "2"
    assert scope["method"] == "POST"
    assert scope["path"] == "/a b"
    assert scope["raw_path"] == b"/a%20b"
    assert scope["query_string"] == b"c=d"
    assert scope["scheme"] == "http"
    assert scope["headers"] == [
        (b"host", b"api.example"),
        (b"x-a", b"b"),
        (b"transfer-encoding", b"chunked"),  # by which an application knows that there is a body
    ]


@pytest.mark.parametrize(
    ("fields", "framing"),
    [([], []), ([(b"content-length", b"0")], [(b"content-length", b"0")])],
    ids=["nothing said", "length 0"],
)
async def test_a_request_without_a_body_announces_none(fields, framing):
    recorder = Recorder()
    async with listening(recorder, http2=True) as listener, speaking(listener.address) as client:
        await client.get("/", *fields)
    ((scope, body),) = recorder.requests
    assert body == b""
    assert scope["headers"][1:] == framing


async def test_what_the_server_adds_to_the_scope():
    seen = []

    async def app(scope, receive, send):
        connection = scope["extensions"]["obo"]
        await read_body(receive)
        seen.append((connection.target, connection.trailers, connection.client_certificate))
        assert connection.head_size >= 100
        await answer(send)

    async with listening(app, http2=True) as listener, speaking(listener.address) as client:
        stream_id = await client.request("/?", (b"x-long", b"a" * 100), method="POST", ended=False)
        client.connection.send_data(stream_id, b"body")
        client.connection.send_headers(stream_id, [(b"x-trailer", b"end")], end_stream=True)
        await client.flush()
        await client.response(stream_id)
    assert seen == [(b"/?", [(b"x-trailer", b"end")], None)]


async def test_streams_are_served_side_by_side():
    """One that waits stops no other."""
    held = Held()

    async def app(scope, receive, send):
        await (held(scope, receive, send) if scope["path"] == "/held" else answer(send, b"at once"))

    async with listening(app, http2=True) as listener, speaking(listener.address) as client:
        waiting = await client.request("/held")
        assert (await client.get("/")).body == b"at once"
        assert not client.streams[waiting].ended
        held.released.set()
        assert (await client.response(waiting)).body == b"done"
        assert listener._state.running == 0


REFUSED = {
    "no path": (head(path=None), 400, "bad_request"),
    "a path that is none": (head(path=b"a"), 400, "bad_request"),
    "a space in the path": (head(path=b"/a b"), 400, "bad_request"),
    "a line break in the path": (head(path=b"/ HTTP/1.1\r\nX: y"), 400, "bad_request"),
    "no host": (head(authority=None), 400, "bad_request"),
    "a host that is none": (head(authority=b"a@b"), 400, "bad_request"),
    "two hosts": ([*head(), (b"host", b"other.example")], 400, "bad_request"),
    "a foreign scheme": (head(scheme=b"ftp"), 400, "bad_request"),
    "a field of HTTP/1.1": ([*head(), (b"connection", b"close")], 400, "bad_request"),
    "a coding": ([*head(), (b"transfer-encoding", b"chunked")], 400, "bad_request"),
    "an upper-case name": ([*head(), (b"X-A", b"b")], 400, "bad_request"),
    "a line break in a value": ([*head(), (b"x-a", b"b\r\nc: d")], 400, "bad_request"),
    "a late pseudo-header": ([*head(path=None), (b"x-a", b"b"), (b":path", b"/")], 400, "bad_request"),
    "a length without a body": ([*head(), (b"content-length", b"3")], 400, "bad_request"),
    "CONNECT": (head(method=b"CONNECT"), 405, "method_not_allowed"),
    "TRACE": (head(method=b"TRACE"), 405, "method_not_allowed"),
    "an unknown method": (head(method=b"FOO"), 501, "not_implemented"),
    "a long path": (head(path=b"/" + b"a" * 9000), 414, "target_too_long"),
    "a long field": ([*head(), (b"x-a", b"a" * 17_000)], 431, "header_too_large"),
    "many fields": ([*head(), *[(b"x-a", b"b")] * 101], 431, "header_too_large"),
    "much altogether": ([*head(), *[(b"x-a", b"a" * 15_000)] * 5], 431, "header_too_large"),
    "an expectation": ([*head(), (b"expect", b"more")], 417, "expectation_failed"),
}


@pytest.mark.parametrize(("fields", "status", "code"), REFUSED.values(), ids=REFUSED)
async def test_a_faulty_request_is_answered_on_its_stream(fields, status, code):
    """With what it would be answered in HTTP/1.1; the application does not hear of it, and other streams go on."""
    recorder = Recorder()
    async with listening(recorder, http2=True) as listener, speaking(listener.address) as client:
        response = await client.get(head=fields)
        assert response.status == status
        assert json.loads(response.body)["code"] == code
        assert response.header(b"content-type") == b"application/problem+json"
        assert (response.header(b"allow") is not None) == (status == 405)
        assert (await client.get("/")).status == 200
    assert len(recorder.requests) == 1


BODIES = {
    "longer": (b"3", b"more", True),
    "shorter": (b"5", b"less", True),
    "longer, and it goes on": (b"3", b"more", False),
}


@pytest.mark.parametrize(("length", "body", "ended"), BODIES.values(), ids=BODIES)
async def test_a_body_is_as_long_as_its_content_length(length, body, ended):
    """RFC 9113 §8.1.1."""
    failures = []

    async def app(scope, receive, send):
        try:
            await answer(send, await read_body(receive))
        except ConnectionError:
            failures.append(scope["extensions"]["obo"].refusal)

    async with listening(app, http2=True) as listener, speaking(listener.address) as client:
        stream_id = await client.request("/", (b"content-length", length), method="POST", ended=False)
        await asyncio.sleep(0.05)  # the application waits for it by then
        await client.data(stream_id, body, ended=ended)
        response = await client.response(stream_id)
        assert (response.status, json.loads(response.body)["code"]) == (400, "bad_request")
        assert (await client.get("/")).status == 200
    assert [type(one).__name__ for one in failures] == ["BadRequest"]


async def test_faulty_trailers_are_refused():
    async with listening(Recorder(), http2=True) as listener, speaking(listener.address) as client:
        stream_id = await client.request(method="POST", body=b"body", ended=False)
        client.connection.send_headers(stream_id, [(b"x-a", b"b\r\nc")], end_stream=True)
        await client.flush()
        assert (await client.response(stream_id)).status == 400


async def test_an_expectation_is_met_once_the_body_is_asked_for():
    async with listening(Recorder(), http2=True) as listener, speaking(listener.address) as client:
        stream_id = await client.request("/", (b"expect", b"100-continue"), method="POST", ended=False)
        await client.until(lambda: client.streams[stream_id].interim)
        assert client.streams[stream_id].interim == [[(b":status", b"100")]]
        await client.data(stream_id, b"body", ended=True)
        assert (await client.response(stream_id)).body == b"body"


async def test_the_server_itself_answers_options():
    """RFC 9110 §9.3.7."""
    recorder = Recorder()
    async with listening(recorder, http2=True) as listener, speaking(listener.address) as client:
        response = await client.get(head=head(method=b"OPTIONS", path=b"*"))
    assert response.status == 204
    assert b"GET" in response.header(b"allow")
    assert recorder.requests == []


async def test_a_rest_that_nobody_wants_is_not_sent():
    """RFC 9113 §8.1: after a whole response, without an error."""

    async def app(scope, receive, send):
        await answer(send, b"enough")

    async with listening(app, http2=True) as listener, speaking(listener.address) as client:
        stream_id = await client.request(method="POST", body=b"begun", ended=False)
        response = await client.response(stream_id)
        await client.until(lambda: response.reset is not None)
        assert (response.body, response.ended, response.reset) == (b"enough", True, ErrorCode.NO_ERROR)
        assert listener._state.live()[0].codec.held == 0


async def test_an_application_that_fails_is_answered_for():
    async def app(scope, receive, send):
        raise ValueError

    async with listening(app, http2=True) as listener, speaking(listener.address) as client:
        response = await client.get()
        assert (response.status, json.loads(response.body)["code"]) == (500, "internal_error")
        assert (await client.get()).status == 500


async def test_a_response_that_is_broken_off_cannot_look_whole():
    """Its stream is reset, and no other."""

    async def app(scope, receive, send):
        if scope["path"] == "/":
            await answer(send, b"whole")
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        if scope["path"] == "/aborts":
            scope["extensions"]["obo"].abort()

    async with listening(app, http2=True) as listener, speaking(listener.address) as client:
        for path in ("/aborts", "/returns"):
            response = await client.get(path)
            assert (response.body, response.ended) == (b"begun", False)
            assert response.reset == ErrorCode.INTERNAL_ERROR
        assert (await client.get("/")).body == b"whole"


@pytest.mark.parametrize("end", ["reset", "closed"])
async def test_a_departure_is_told_at_once(end):
    """To the request whose stream it is, and it can cancel what it does."""
    ended = asyncio.Event()
    begun = asyncio.Event()

    async def app(scope, receive, send):
        connection = scope["extensions"]["obo"]
        connection.on_departure(connection.cancel)
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with listening(app, http2=True) as listener:
        async with speaking(listener.address) as client:
            stream_id = await client.request()
            await begun.wait()
            if end == "reset":
                client.connection.reset_stream(stream_id)
                await client.flush()
                async with asyncio.timeout(5):
                    await ended.wait()
        async with asyncio.timeout(5):
            await ended.wait()
        assert listener._state.running == 0


async def test_an_application_is_not_shown_what_is_taken_back_in_one_breath():
    """Nor does it cost more than to say so."""
    recorder = Recorder()
    async with listening(recorder, http2=True) as listener, speaking(listener.address) as client:
        for _ in range(20):
            stream_id = client.connection.get_next_available_stream_id()
            client.connection.send_headers(stream_id, head(), end_stream=True)
            client.connection.reset_stream(stream_id)
        await client.flush()
        assert (await client.get()).status == 200
    assert len(recorder.requests) == 1


async def test_there_are_no_more_streams_than_that_at_once():
    """RFC 9113 §5.1.2: one too many is refused, and may be tried again."""
    held = Held()

    async def app(scope, receive, send):
        await (answer(send) if scope["path"] == "/first" else held(scope, receive, send))

    async with listening(app, http2=True) as listener, speaking(listener.address) as client:
        await client.get("/first")
        settings = client.connection.remote_settings
        assert settings.max_concurrent_streams == MAX_STREAMS
        settings.max_concurrent_streams += 1
        settings.acknowledge()
        streams = [await client.request() for _ in range(MAX_STREAMS)]
        over = await client.request()
        assert (await client.response(over)).reset == ErrorCode.REFUSED_STREAM
        held.released.set()
        assert {(await client.response(one)).status for one in streams} == {200}


async def test_applications_that_do_not_return_hold_up_their_connection():
    """Those whose streams are reset, too: else whoever resets has as many as it likes."""
    stubborn = asyncio.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/":
            await answer(send)
        await stubborn.wait()

    async with listening(app, http2=True) as listener, speaking(listener.address) as client:
        for _ in range(2 * MAX_STREAMS):
            await client.get()
        response = await client.get()
        assert (response.status, json.loads(response.body)["code"]) == (503, "overloaded")
        stubborn.set()
        assert (await client.get()).status in {200, 503}


async def test_there_are_no_more_requests_than_connections_may_be():
    """Over all connections."""
    held = Held()
    async with (
        listening(held, http2=True, max_connections=3) as listener,
        speaking(listener.address) as client,
        speaking(listener.address) as other,
    ):
        streams = [await client.request() for _ in range(3)]
        await held.begun.wait()
        assert (await other.get()).status == 503
        held.released.set()
        assert {(await client.response(one)).status for one in streams} == {200}


async def test_a_connection_too_many_is_told_so():
    """By a response to its first requests, and GOAWAY."""
    async with (
        listening(Recorder(), http2=True, max_connections=0) as listener,
        speaking(listener.address) as client,
    ):
        response = await client.get()
        assert (response.status, json.loads(response.body)["code"]) == (503, "overloaded")
        await client.rest()
        assert [one.error_code for one in client.gone] == [ErrorCode.NO_ERROR]


async def test_requests_that_come_in_one_breath_are_as_many_at_most():
    """None of them runs before the last is read."""
    held = Held()
    async with (
        listening(held, http2=True, max_connections=3) as listener,
        speaking(listener.address) as client,
    ):
        streams = [open_stream(client) for _ in range(5)]
        await client.flush()
        held.released.set()
        answers = [await client.response(one) for one in streams]
        assert [one.status for one in answers] == [200, 200, 200, 503, 503]
        assert (await client.get()).status == 200


async def test_a_connection_too_many_answers_all_that_came_and_ends():
    """Also where that came in one breath: none is passed over, and nothing keeps the connection."""
    async with (
        listening(Recorder(), http2=True, max_connections=0, linger_timeout=0.1) as listener,
        connected(listener.address) as silent,
        speaking(listener.address) as client,
    ):
        streams = [open_stream(client) for _ in range(3)]
        sent = client.connection.data_to_send()
        await client.send_raw(sent)
        assert [(await client.response(one)).status for one in streams] == [503] * 3
        await silent.send(MAGIC + build_frame(SETTINGS, 0, 0, b"") + sent)
        async with asyncio.timeout(5):
            while listener.connections:  # though its peer does not close
                await asyncio.sleep(0.05)


async def test_who_says_goodbye_is_answered_still():
    """Also what stands behind a refusal, in the same breath as the GOAWAY."""
    recorder = Recorder()
    async with (
        listening(recorder, http2=True, linger_timeout=0.1) as listener,
        speaking(listener.address) as client,
    ):
        faulty, sound = open_stream(client, path=None), open_stream(client)
        await client.send_raw(build_go_away(0, ErrorCode.NO_ERROR) + client.connection.data_to_send())
        assert (await client.response(faulty)).status == 400
        assert (await client.response(sound)).status == 200
        await client.rest()


@pytest.mark.parametrize("fields", [[(b"x-a", b"b\r\n")], []], ids=["faulty", "too many"])
async def test_a_refusal_of_head_has_no_body(fields):
    """RFC 9110 §9.3.2: also where the server refuses by itself."""
    limits = {} if fields else {"max_connections": 0}
    async with (
        listening(Recorder(), http2=True, **limits) as listener,
        speaking(listener.address) as client,
    ):
        answer = await client.get(head=[*head(method=b"HEAD"), *fields])
        assert (answer.status, answer.body, answer.ended) == (400 if fields else 503, b"", True)


async def test_a_broken_connection_is_told_why(caplog):
    """And the refusal is logged, once."""
    caplog.set_level("INFO", "proxy")
    async with listening(Recorder(), http2=True) as listener, speaking(listener.address) as client:
        await client.get()
        await client.send_raw(b"\0\0\4\1\4\0\0\0\3" + b"\xff\xff\xff\xff")  # no field block
        await client.rest()
        assert {one.error_code for one in client.gone} <= {
            ErrorCode.COMPRESSION_ERROR,
            ErrorCode.PROTOCOL_ERROR,
        }
        assert len(client.gone) == 1
        assert [record.message for record in caplog.records] == ["request refused"]


@pytest.mark.parametrize("shown", [False, True])
async def test_a_client_certificate_is_that_of_the_connection(tmp_path, shown):
    authority = Authority(tmp_path)
    issued = authority.issue()
    certificate = ListenTLS(
        cert_file=issued.cert_file, key_file=issued.key_file, client_ca_file=authority.ca_file
    )
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.set_alpn_protocols(["h2"])
    if shown:
        context.load_cert_chain(issued.cert_file, issued.key_file)
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["scheme"], scope["extensions"]["obo"].client_certificate))
        await answer(send)

    async with (
        listening(app, certificate, http2=True) as listener,
        speaking(listener.address, context) as client,
    ):
        await client.get()
        await client.get()
    assert [scheme for scheme, _ in seen] == ["https"] * 2
    assert {thumbprint is not None for _, thumbprint in seen} == {shown}
