"""What the peer sees of a response."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.raw_client import Truncated, connected

from .apps import Recorder, exchange, listening
from .messages import get

GET = get(b"GET / HTTP/1.1")
GET_1_0 = get(b"GET / HTTP/1.0", b"Connection: keep-alive")


def sending(*messages, before_last=None, abort=False):
    """An app that sends what it is given: (status, headers), then bytes, the last of them the end."""

    async def app(scope, receive, send):
        (status, headers), *pieces = messages
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if before_last is not None:
            await before_last.wait()
        if abort:
            scope["extensions"]["obo"].abort()
        else:
            await send({"type": "http.response.body"})

    return app


async def test_fields_go_out_as_the_application_gave_them():
    """H-31, H-36: repeats and order kept, nothing added: no Date, no Server."""
    headers = [(b"set-cookie", b"a"), (b"date", b"x"), (b"set-cookie", b"b"), (b"content-length", b"0")]
    response = await exchange(sending((200, headers)), GET)
    assert response.head == (
        b"HTTP/1.1 200 OK\r\nset-cookie: a\r\ndate: x\r\nset-cookie: b\r\ncontent-length: 0\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("status", "headers", "method", "framing"),
    [
        (200, [], "GET", b"transfer-encoding: chunked\r\n"),
        (200, [(b"transfer-encoding", b"gzip")], "GET", b"transfer-encoding: chunked\r\n"),
        (200, [(b"connection", b"keep-alive"), (b"keep-alive", b"5")], "GET", b"transfer-encoding: chunked\r\n"),
        (200, [], "HEAD", b""),
        (200, [(b"content-length", b"7")], "HEAD", b"content-length: 7\r\n"),
        (304, [(b"content-length", b"7")], "GET", b"content-length: 7\r\n"),
        (204, [(b"content-length", b"0")], "GET", b""),
        (299, [(b"connection", b"close")], "GET", b"transfer-encoding: chunked\r\nconnection: close\r\n"),
    ],
    ids=str,
)  # fmt: skip
async def test_framing_is_the_server_s_own(status, headers, method, framing):
    """H-21, H-41: one framing; none where there is no body."""
    response = await exchange(sending((status, headers)), get(f"{method} / HTTP/1.1".encode()), method)
    assert response.head.split(b"\r\n", 1)[1] == framing + b"\r\n"


async def test_a_body_that_may_not_be_is_not_written():
    """H-41: HEAD, 204 and 304 have none, whatever the application gives."""
    app = sending((200, []), b"body")
    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(get(b"HEAD / HTTP/1.1") * 2)
        await client.response("HEAD")
        await client.response("HEAD")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.read(1), 0.05)


@pytest.mark.parametrize("size", [5, 1_000_000])
async def test_pieces_arrive_whole(size):
    """H-65: chunked where the length is not known."""
    response = await exchange(sending((200, []), b"a" * size, b"", b"b" * size), GET)
    assert response.body == b"a" * size + b"b" * size


@pytest.mark.parametrize(("piece", "seen"), [(b"", b""), (b"event", b"5\r\nevent\r\n")])
async def test_the_head_leaves_with_the_first_piece_of_body(piece, seen):
    """H-65: an empty first piece is enough to send it."""
    go = asyncio.Event()
    app = sending((200, []), piece, before_last=go)
    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(GET)
        head, rest = (await client.some()).split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert rest == seen
        go.set()


async def test_http_1_0_is_never_answered_in_chunks():
    """H-07: the end of the connection is the end of the body."""
    response = await exchange(sending((200, []), b"hello"), GET_1_0)
    assert response.header(b"transfer-encoding") is None
    assert (response.header(b"connection"), response.body) == (b"close", b"hello")
    response = await exchange(sending((200, [(b"content-length", b"5")]), b"hello"), GET_1_0)
    assert (response.header(b"connection"), response.body) == (b"close", b"hello")


CUT = {
    "chunked": (sending((200, []), b"half", abort=True), GET),
    "length": (sending((200, [(b"content-length", b"8")]), b"half", abort=True), GET),
    "length for HTTP/1.0": (sending((200, [(b"content-length", b"8")]), b"half", abort=True), GET_1_0),
    "returned too early": (sending((200, [(b"content-length", b"8")]), b"half"), GET),
    "too long": (sending((200, [(b"content-length", b"2")]), b"a", b"half"), GET),
}


@pytest.mark.parametrize(("app", "request_bytes"), CUT.values(), ids=CUT)
async def test_a_response_that_breaks_off_cannot_look_whole(app, request_bytes):
    """F-10, F-11: what was sent arrives, then the connection ends too early."""
    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(request_bytes + GET)
        with pytest.raises(Truncated):
            await client.response()
        assert await client.rest() == b""


async def test_a_close_delimited_response_breaks_off_with_a_reset():
    """F-10: for HTTP/1.0 the end of the connection would be the end of the body."""
    go = asyncio.Event()
    app = sending((200, []), b"half", before_last=go, abort=True)
    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(GET_1_0)
        assert (await client.some()).endswith(b"half")
        go.set()
        with pytest.raises(ConnectionResetError):
            await client.rest()


async def failing(scope, receive, send):
    raise LookupError("a secret")


async def returning(scope, receive, send):
    return


async def starting_only(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize(
    "app",
    [
        failing,
        returning,
        starting_only,
        sending((200, [(b"x", b"a\r\nb")])),
        sending((200, [(b"x", b"a\nb")])),
        sending((200, [(b"x\0", b"a")])),
        sending((200, [(b"content-length", b"1"), (b"content-length", b"1")])),
        sending((200, [(b"content-length", b"+1")])),
        sending((200, [(b"content-length", b"1")])),
    ],
    ids=["fails", "returns", "starts", "CRLF", "LF", "NUL", "two lengths", "no number", "too short"],
)
async def test_an_application_s_fault_is_a_500_without_its_text(app, caplog):
    """F-11, F-38, H-33: nothing of the exception reaches the caller or the log, and no line break a header."""
    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(GET + GET)
        response = await client.response()
        assert response.status == 500
        assert b"internal_error" in response.body
        assert await client.rest() == b""
    assert b"secret" not in response.head + response.body
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(("failed", "behind"), [("HEAD", "GET"), ("GET", "HEAD")])
async def test_a_failed_request_of_a_pipeline_is_answered_by_its_own_method(failed, behind):
    """H-20, H-41: not by that of the request behind it, which was read by then."""
    async with listening(returning) as listener, connected(listener.address) as client:
        await client.send(b"".join(get(b"%b / HTTP/1.1" % one.encode()) for one in (failed, behind)))
        response = await client.response(failed)
        assert response.status == 500
        assert (b"internal_error" in response.body) is (failed == "GET")
        assert await client.rest() == b""


async def test_a_slow_reader_holds_back_the_application():
    """F-23: what is not read is not buffered; the write deadline ends it."""
    sent = 0
    over = asyncio.Event()

    async def app(scope, receive, send):
        nonlocal sent
        scope["extensions"]["obo"].on_departure(over.set)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not over.is_set():
            await send({"type": "http.response.body", "body": b"a" * 65536, "more_body": True})
            sent += 65536

    async with listening(app, write_timeout=0.5) as listener, connected(listener.address) as client:
        client.writer.transport.pause_reading()
        await client.send(GET)
        async with asyncio.timeout(5):
            await over.wait()
    assert 0 < sent < 50_000_000


async def test_a_connection_that_is_reset_takes_no_other_with_it():
    """F-38: nothing is left behind in the log."""
    recorder = Recorder()
    async with listening(recorder) as listener:
        async with connected(listener.address) as client:
            await client.send(GET[:10])
            client.reset()
        async with connected(listener.address) as client:
            await client.send(GET)
            assert (await client.response()).status == 200
