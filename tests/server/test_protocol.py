"""What the application sees of a request that is served."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.raw_client import connected

from .apps import Held, Recorder, answer, listening, read_body
from .messages import chunked, get, post

GET = get(b"GET / HTTP/1.1")

# name: (bytes, what the application sees beyond POST / HTTP/1.1 with an empty body)
SERVED = {
    "plain": (GET, {"method": "GET"}),
    "empty lines before": (b"\r\n\r\n" + GET, {"method": "GET"}),
    "two spaces": (get(b"GET  / HTTP/1.1"), {"method": "GET"}),
    "query": (
        get(b"GET /a?b=c%20d?e HTTP/1.1"),
        {"method": "GET", "raw_path": b"/a", "path": "/a", "query_string": b"b=c%20d?e"},
    ),
    "empty query": (
        get(b"GET /a? HTTP/1.1"),
        {"method": "GET", "raw_path": b"/a", "path": "/a", "target": b"/a?"},
    ),
    "encoded": (
        get(b"GET /%41%2F%zz HTTP/1.1"),
        {"method": "GET", "raw_path": b"/%41%2F%zz", "path": "/A/%zz"},
    ),
    "dots": (get(b"GET /a/../b HTTP/1.1"), {"method": "GET", "raw_path": b"/a/../b", "path": "/a/../b"}),
    "two slashes": (
        get(b"GET //evil/p HTTP/1.1"),
        {"method": "GET", "raw_path": b"//evil/p", "path": "//evil/p"},
    ),
    "backslash": (get(rb"GET /\evil HTTP/1.1"), {"method": "GET", "raw_path": rb"/\evil", "path": r"/\evil"}),
    "longest target": (
        get(b"GET /" + b"a" * 8191 + b" HTTP/1.1"),
        {"method": "GET", "raw_path": b"/" + b"a" * 8191, "path": "/" + "a" * 8191},
    ),
    "absolute-form": (
        get(b"GET http://example.com/p?q HTTP/1.1"),
        {"method": "GET", "raw_path": b"/p", "path": "/p", "query_string": b"q"},
    ),
    "absolute-form in capitals": (get(b"GET HTTPS://EXAMPLE.com HTTP/1.1"), {"method": "GET"}),
    "absolute-form without a path": (
        get(b"GET http://example.com?q HTTP/1.1"),
        {"method": "GET", "query_string": b"q"},
    ),
    "method of WebDAV": (get(b"PROPFIND / HTTP/1.1"), {"method": "PROPFIND"}),
    "HTTP/1.0": (get(b"GET / HTTP/1.0"), {"method": "GET", "http_version": "1.0"}),
    "length": (post(b"Content-Length: 5", body=b"hello"), {"body": b"hello"}),
    "length with space after": (
        post(b"Content-Length: 5 \t", body=b"hello"),
        {"body": b"hello", "headers": [(b"content-length", b"5")]},
    ),
    "no length": (post(b"Content-Length: 0"), {}),
    "chunked": (chunked(b"3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"), {"body": b"hello"}),
    "chunked in capitals": (
        post(b"Transfer-Encoding: CHUNKED", body=b"5\r\nhello\r\n0\r\n\r\n"),
        {"body": b"hello"},
    ),
    "trailers": (
        chunked(
            b"5\r\nhello\r\n0\r\nAuthorization: Bearer x\r\nX-Forwarded-User: admin\r\n"
            b"Host: evil\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\n\r\n"
        ),
        {"body": b"hello", "headers": [(b"transfer-encoding", b"chunked")]},
    ),
    "repeated fields": (
        get(b"GET / HTTP/1.1", b"Cookie: a", b"X_Auth: \xff\xe9", b"COOKIE: b", b"X:"),
        {
            "method": "GET",
            "headers": [(b"cookie", b"a"), (b"x_auth", b"\xff\xe9"), (b"cookie", b"b"), (b"x", b"")],
        },
    ),
    "upgrade to h2c": (
        post(
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AA",
            b"Content-Length: 5",
            body=b"hello",
        ),
        {"body": b"hello"},
    ),
    "chunked upgrade": (
        post(
            b"Connection: Upgrade",
            b"Upgrade: foo",
            b"Transfer-Encoding: chunked",
            body=b"5\r\nhello\r\n0\r\n\r\n",
        ),
        {"body": b"hello"},
    ),
    "upgrade without a body": (
        get(b"GET / HTTP/1.1", b"Connection: upgrade", b"Upgrade: foo"),
        {"method": "GET"},
    ),
    "websocket by POST": (
        post(b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 5", body=b"hello"),
        {"body": b"hello"},
    ),
    "two upgrades": (
        get(b"GET / HTTP/1.1", b"Connection: upgrade", b"Upgrade: websocket", b"Upgrade: h2c"),
        {"method": "GET"},
    ),
}


@pytest.mark.parametrize("step", [None, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize(("data", "seen"), SERVED.values(), ids=SERVED)
async def test_the_application_sees_the_request_as_it_was_sent(data, seen, step):
    """H-02, H-03, H-21, H-22, H-25, H-31, H-66: the target to the byte, every field, the body, no trailer."""
    recorder = Recorder()
    if step and len(data) > 1000:
        pytest.skip("too long to be sent byte by byte")
    async with listening(recorder) as listener, connected(listener.address) as client:
        for start in range(0, len(data), step or len(data)):
            await client.send(data[start : start + (step or len(data))])
        response = await client.response(seen.get("method", "POST"))
        assert response.status == 200
    [(scope, body)] = recorder.requests
    target = scope["extensions"]["obo"].target
    expected_target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    assert target == seen.get("target", expected_target)
    assert body == seen.get("body", b"")
    for name, value in {
        "method": "POST",
        "http_version": "1.1",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
    }.items():
        assert scope[name] == seen.get(name, value)
    if "headers" in seen:
        assert scope["headers"] == [(b"host", b"example.com"), *seen["headers"]]


async def test_the_scope_is_plain_asgi():
    """H-51: the peer is the socket's, whatever the request says of it."""
    recorder = Recorder()
    data = get(b"GET /a%20b?c HTTP/1.1", b"X-Forwarded-For: 6.6.6.6", b"X-Forwarded-Proto: https")
    async with listening(recorder) as listener, connected(listener.address) as client:
        await client.send(data)
        await client.response()
        [(scope, _)] = recorder.requests
        own = client.writer.get_extra_info("sockname")
        scope["extensions"].pop("obo")
        assert scope == {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/a b",
            "raw_path": b"/a%20b",
            "query_string": b"c",
            "root_path": "",
            "headers": [
                (b"host", b"example.com"),
                (b"x-forwarded-for", b"6.6.6.6"),
                (b"x-forwarded-proto", b"https"),
            ],
            "client": own,
            "server": listener.address,
            "extensions": {},
        }


@pytest.mark.parametrize(
    "host", ["a", "a.example:8080", "10.0.0.1", "[::1]", "[::1]:443", "my_service:1", "A-b"]
)
async def test_a_valid_host_is_served(host):
    """H-05: host[:port]."""
    recorder = Recorder()
    async with listening(recorder) as listener, connected(listener.address) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n")
        assert (await client.response()).status == 200


async def test_http_1_0_needs_no_host():
    """H-05: HTTP/1.0 does not know Host."""
    recorder = Recorder()
    async with listening(recorder) as listener, connected(listener.address) as client:
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.response()).status == 200
        assert await client.rest() == b""


async def test_trailers_in_a_later_segment_are_dropped():
    """H-22: trailers are dropped in a segment of their own as well."""
    recorder = Recorder()
    async with listening(recorder) as listener, connected(listener.address) as client:
        await client.send(chunked(b"5\r\nhello\r\n0\r\n"))
        await client.send(b"Authorization: Bearer x\r\n")
        await client.send(b"X-Forwarded-User: admin\r\n\r\n" + GET)
        assert (await client.response()).body == b"hello"
        assert (await client.response()).status == 200
    assert recorder.requests[0][0]["headers"] == [
        (b"host", b"example.com"),
        (b"transfer-encoding", b"chunked"),
    ]


@pytest.mark.parametrize("filler", [b"1;" + b"e" * 5000 + b"\r\na\r\n", b"T: " + b"t" * 5000 + b"\r\n"])
async def test_chunk_framing_is_bounded(filler):
    """H-26: extensions and trailers that outgrow the body are refused."""
    first = b"" if filler.startswith(b"1") else b"1\r\na\r\n0\r\n"
    async with listening(Recorder()) as listener, connected(listener.address) as client:
        await client.send(chunked(first))
        for _ in range(50):
            client.writer.write(filler)
            await asyncio.sleep(0)
        assert (await client.response()).status == 400
        assert await client.rest() == b""


async def test_small_chunks_are_no_abuse():
    """H-26: many chunks of one byte each are a body like any other."""
    recorder = Recorder()
    async with listening(recorder, max_header_bytes=1024) as listener, connected(listener.address) as client:
        await client.send(chunked(b""))
        for _ in range(100):
            await client.send(b"1\r\na\r\n" * 100)
        await client.send(b"0\r\n\r\n")
        assert (await client.response()).body == b"a" * 10_000


async def test_pipelined_requests_are_answered_in_their_order():
    """H-23: one after the other, bodies apart."""
    recorder = Recorder()
    async with listening(recorder) as listener, connected(listener.address) as client:
        await client.send(b"".join(post(b"Content-Length: 1", body=b"%d" % i) for i in range(10)))
        assert [(await client.response()).body for _ in range(10)] == [b"%d" % i for i in range(10)]


async def test_a_pipelined_request_may_take_its_time():
    """H-23, F-30: the deadline of who is not read for a while ends when reading goes on."""
    held = asyncio.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/slow":
            await asyncio.wait({asyncio.ensure_future(held.wait())}, timeout=1)
        else:
            await asyncio.sleep(0)
        await answer(send, scope["raw_path"])

    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(GET + get(b"GET /slow HTTP/1.1"))
        assert (await client.response()).body == b"/"
        assert (await client.response()).body == b"/slow"


async def test_too_many_requests_in_a_pipeline_are_cut_behind_the_last_one_served():
    """F-36: what one connection may have waiting is bounded."""
    recorder = Recorder()
    async with listening(recorder) as listener, connected(listener.address) as client:
        await client.send(GET * 100)
        responses = []
        while not client.reader.at_eof():
            responses.append(await client.response())
            if responses[-1].header(b"connection"):
                break
        assert len(responses) == len(recorder.requests) == 32
        assert await client.rest() == b""


async def test_a_refusal_waits_for_the_answers_before_it():
    """H-20: no refusal lands inside another response."""
    held = Held()
    async with listening(held) as listener, connected(listener.address) as client:
        await client.send(GET + get(b"FOO / HTTP/1.1") + GET)
        await held.begun.wait()
        held.released.set()
        assert (await client.response()).body == b"done"
        assert (await client.response()).status == 501
        assert await client.rest() == b""


async def test_a_refusal_in_the_body_of_a_waiting_request_takes_its_place():
    """H-20: the request with the fault never reaches the application."""
    held = Held()
    async with listening(held) as listener, connected(listener.address) as client:
        await client.send(GET + chunked(b"x\r\n"))
        await held.begun.wait()
        held.released.set()
        assert (await client.response()).body == b"done"
        assert (await client.response()).status == 400


async def test_nothing_is_read_after_connection_close():
    """H-24: whoever closes is not heard any more."""
    recorder = Recorder()
    async with listening(recorder) as listener, connected(listener.address) as client:
        await client.send(get(b"GET / HTTP/1.1", b"Connection: close") + GET + b"garbage\r\n\r\n")
        assert (await client.response()).header(b"connection") == b"close"
        assert await client.rest() == b""
    assert len(recorder.requests) == 1


async def test_continue_is_sent_when_the_application_asks_for_the_body():
    """H-27: 100, then the body, then the answer."""
    asking = asyncio.Event()

    async def app(scope, receive, send):
        await asking.wait()
        await answer(send, await read_body(receive))

    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(post(b"Expect: 100-Continue", b"Content-Length: 5"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.read(1), 0.05)
        asking.set()
        assert (await client.response()).status == 100
        await client.send(b"hello")
        assert (await client.response()).body == b"hello"


async def test_no_continue_without_need():
    """H-27: refused before the body is asked for, or with the body already there: no 100."""

    async def refuse(scope, receive, send):
        await answer(send, status=401)

    async with listening(refuse) as listener, connected(listener.address) as client:
        await client.send(post(b"Expect: 100-continue", b"Content-Length: 5"))
        response = await client.response()
        assert (response.status, response.header(b"connection")) == (401, b"close")
    async with listening(Recorder()) as listener, connected(listener.address) as client:
        await client.send(post(b"Expect: 100-continue", b"Content-Length: 5", body=b"hello"))
        assert (await client.response()).body == b"hello"
        await client.send(get(b"POST / HTTP/1.0", b"Expect: 100-continue", b"Content-Length: 5"))
        await client.send(b"hello")
        assert (await client.response()).body == b"hello"


async def test_an_answer_before_the_body_was_read_arrives_whole_and_closes():
    """H-24, H-48: the peer reads the answer although it is still sending; no phantom request."""
    seen = []

    async def refuse(scope, receive, send):
        seen.append(scope)
        await answer(send, b"no", status=401)

    async with listening(refuse) as listener, connected(listener.address) as client:
        client.writer.write(post(b"Content-Length: 1000000"))
        await asyncio.sleep(0)
        client.writer.write(b"a" * 999_000 + GET * 40)
        response = await client.response()
        assert (response.status, response.header(b"connection"), response.body) == (401, b"close", b"no")
        assert await client.rest() == b""
    assert len(seen) == 1


async def test_a_body_that_nobody_reads_is_not_taken_in():
    """F-24: reading stops until the application asks."""
    held = Held()
    async with listening(held) as listener, connected(listener.address) as client:
        client.writer.write(post(b"Content-Length: 100000000") + b"a" * 50_000_000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.writer.drain(), 0.3)
        held.released.set()
        assert (await client.response()).body == b"done"
        client.writer.transport.abort()


async def test_keep_alive_serves_many_requests_on_one_connection():
    """RFC 9112 §9.3."""
    recorder = Recorder()
    async with listening(recorder) as listener, connected(listener.address) as client:
        for i in range(5):
            await client.send(post(b"Content-Length: 1", body=b"%d" % i))
            response = await client.response()
            assert (response.body, response.header(b"connection")) == (b"%d" % i, None)


HANDSHAKE_HEAD = get(b"GET / HTTP/1.1", b"Connection: upgrade", b"Upgrade: websocket")


async def test_an_upgrade_in_a_pipeline_is_refused():
    """H-60: a websocket begins on a connection that owes nothing."""
    held = Held()
    async with listening(held) as listener, connected(listener.address) as client:
        await client.send(GET + HANDSHAKE_HEAD)
        await held.begun.wait()
        held.released.set()
        assert (await client.response()).body == b"done"
        assert (await client.response()).status == 400
