"""Requests and responses on real sockets, against an upstream that says what the test tells it to."""

import asyncio

import pytest

from proxy.errors import (
    UpstreamBroken,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from tests.support.raw_upstream import (
    CLOSE,
    READ_BODY,
    RESET,
    START_READING,
    STAY,
    STOP_READING,
    RawUpstream,
    response,
)

from .requests import BEGUN, CHUNKED, HEAD, Body, Connect, fetch, read_all, send, until


async def test_small_answer(connect: Connect) -> None:
    """A small answer is whole as soon as its head is there: status, fields and body need no further wait."""
    async with RawUpstream([response(b"hello", b"Set-Cookie: a", b"Set-Cookie: b")]) as raw:
        upstream = connect(raw.url)
        answer = await send(upstream)
        assert answer.status == 200
        assert answer.headers[1:] == [(b"set-cookie", b"a"), (b"set-cookie", b"b")]
        assert answer.take() == (b"hello", True)
        assert await answer.read() == b""
        answer.close()
        answer.close()
        assert (upstream.active, upstream.idle) == (0, 1)


async def test_head_goes_as_given(connect: Connect) -> None:
    """H-21, H-34: the upstream sees the bytes of the head that was given, and nothing else."""
    async with RawUpstream() as raw:
        await fetch(connect(raw.url), path=b"/a/%2e?b")
        assert raw.requests == [b"GET /a/%2e?b HTTP/1.1\r\nHost: a\r\n\r\n"]


async def test_connection_is_reused(connect: Connect) -> None:
    """One caller after another needs one connection."""
    async with RawUpstream() as raw:
        upstream = connect(raw.url)
        for method in (b"GET", b"HEAD", b"GET"):
            assert await fetch(upstream, method) == (200, b"")
        assert len(raw.connections) == 1


@pytest.mark.parametrize("second", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"x", b"\r\n"])
@pytest.mark.parametrize(
    ("method", "first"),
    [
        (b"GET", response(b"one")),
        (b"HEAD", response(b"one")),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    ],
    ids=["extra response", "HEAD", "204", "304"],
)
async def test_extra_bytes_reach_nobody(connect: Connect, method: bytes, first: bytes, second: bytes) -> None:
    """H-40, H-41: what follows a response in the same read is never another caller's answer."""
    async with RawUpstream([first + second], [response(b"two")]) as raw:
        upstream = connect(raw.url)
        await fetch(upstream, method)
        assert upstream.idle == 0
        assert await fetch(upstream) == (200, b"two")
        assert len(raw.connections) == 2


async def test_extra_bytes_behind_chunks(connect: Connect) -> None:
    """H-40: nor what follows a chunked one."""
    async with RawUpstream([CHUNKED + b"0\r\n\r\n" + response(b"evil")], [response(b"two")]) as raw:
        upstream = connect(raw.url)
        assert await fetch(upstream) == (200, b"")
        assert await fetch(upstream) == (200, b"two")


async def test_late_bytes_drop_an_idle_connection(connect: Connect) -> None:
    """H-40: bytes that come while nobody asked end the connection."""
    late = asyncio.Event()
    async with RawUpstream([response(b"one"), late, response(b"evil"), STAY], [response(b"two")]) as raw:
        upstream = connect(raw.url)
        await fetch(upstream)
        assert upstream.idle == 1
        late.set()
        await until(lambda: upstream.idle == 0)
        assert await fetch(upstream) == (200, b"two")


async def test_bytes_the_loop_has_not_read(connect: Connect) -> None:
    """H-40: bytes that have arrived but were not read yet are no answer either, even to the next request."""
    async with RawUpstream([response(b"one"), STAY], [response(b"two")]) as raw:
        upstream = connect(raw.url)
        await fetch(upstream)
        # Sent at once, past the loop, which comes to read it only after the next request has begun.
        raw.connections[0].transport.write(response(b"evil"))
        assert await fetch(upstream, b"POST") == (200, b"two")


async def test_interim_responses(connect: Connect) -> None:
    """H-43: 1xx answers are swallowed, even if time goes by before the final one."""
    gate = asyncio.Event()
    async with RawUpstream([b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", gate, response(b"a")]) as raw:
        answer = asyncio.ensure_future(fetch(connect(raw.url)))
        await until(lambda: bool(raw.requests))
        gate.set()
        assert await answer == (200, b"a")


async def test_connection_close(connect: Connect) -> None:
    """``Connection: close`` is heeded."""
    async with RawUpstream([response(b"a", b"Connection: close"), STAY]) as raw:
        upstream = connect(raw.url)
        assert await fetch(upstream) == (200, b"a")
        await raw.connections[0].closed.wait()
        assert upstream.idle == 0


async def test_a_length_beside_chunks_ends_the_connection(connect: Connect) -> None:
    """H-42, H-40: the response is read by its chunks, and the connection carries no other (RFC 9112 §6.3)."""
    both = HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    async with RawUpstream([both, STAY], [response(b"two")]) as raw:
        upstream = connect(raw.url)
        assert await fetch(upstream) == (200, b"a")
        assert upstream.idle == 0
        await raw.connections[0].closed.wait()
        assert await fetch(upstream) == (200, b"two")


MALFORMED_BODIES = {
    "no size": (CHUNKED, b"zz\r\n"),
    "negative size": (CHUNKED, b"-1\r\na\r\n"),
    "size beyond 64 bits": (CHUNKED, b"10000000000000001\r\na"),
    "bare line feed": (CHUNKED, b"1\na\n"),
    "longer than its size": (CHUNKED, b"1\r\nab\r\n"),
    "behind a sound chunk": (CHUNKED, b"5\r\nhello\r\nzz\r\n"),
    "behind interim responses": (b"HTTP/1.1 103 Early Hints\r\n\r\n" + CHUNKED, b"zz\r\n"),
}


@pytest.mark.parametrize(("head", "body"), MALFORMED_BODIES.values(), ids=MALFORMED_BODIES)
async def test_a_body_that_breaks_with_its_head_is_no_answer(
    connect: Connect, head: bytes, body: bytes
) -> None:
    """F-11, F-10: in the same read, where nobody has seen the head; in a later one the response breaks off."""
    gate = asyncio.Event()
    async with RawUpstream([head + body, STAY], [head, gate, body, STAY]) as raw:
        upstream = connect(raw.url)
        with pytest.raises(UpstreamProtocolError):
            await send(upstream)
        answer = await send(upstream)
        gate.set()
        with pytest.raises(UpstreamBroken):
            await read_all(answer)
        assert upstream.active == 0


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ([CLOSE], UpstreamUnreachable),
        ([RESET], UpstreamUnreachable),
        ([b"HTTP/1.1 200 OK\r\nContent", CLOSE], UpstreamProtocolError),
        ([b"SSH-2.0-OpenSSH_9.2\r\n", CLOSE], UpstreamProtocolError),
        ([b"<html>\r\n\r\n", STAY], UpstreamProtocolError),
        ([b"HTTP/1.1 101 Switching Protocols\r\n\r\n", STAY], UpstreamProtocolError),
    ],
    ids=["FIN", "RST", "half a head", "SSH", "HTML", "101"],
)
async def test_no_response(connect: Connect, script: list[object], error: type[Exception]) -> None:
    """F-11, H-42: each way to give no response has its error, and leaves no connection behind."""
    async with RawUpstream(script) as raw:
        upstream = connect(raw.url)
        with pytest.raises(error):
            await send(upstream)
        assert (upstream.active, upstream.idle) == (0, 0)
        assert len(raw.requests) == 1


async def test_response_timeout(connect: Connect) -> None:
    """F-14: no head within the response time is a timeout, and the connection is closed."""
    async with RawUpstream([STAY]) as raw:
        upstream = connect(raw.url, response=0.05)
        with pytest.raises(UpstreamTimeout):
            await send(upstream)
        await raw.connections[0].closed.wait()
        assert upstream.active == 0


async def test_response_time_starts_when_the_body_is_sent(connect: Connect) -> None:
    """F-14: the response time runs from the end of the upload, however long that took."""
    gate = asyncio.Event()
    async with RawUpstream([READ_BODY, STAY]) as raw:
        upstream = connect(raw.url, response=0.05)
        waiting = asyncio.ensure_future(send(upstream, b"POST", body=Body([BEGUN, gate, b"b"])))
        await asyncio.sleep(0.3)  # six times the response time: it does not count yet
        assert not waiting.done()
        gate.set()
        with pytest.raises(UpstreamTimeout):
            await waiting
        assert raw.body_sizes == [len(BEGUN) + 1]


@pytest.mark.parametrize("end", [[START_READING, STAY], [CLOSE], [RESET]], ids=["open", "FIN", "RST"])
async def test_early_response(connect: Connect, end: list[object]) -> None:
    """H-48: a refusal in the middle of an upload arrives at once, stops it, and ends the connection."""
    unread = iter(range(100_000))
    refusal = response(b"too much", status=b"413 Content Too Large")
    async with RawUpstream([STOP_READING, refusal, *end]) as raw:
        upstream = connect(raw.url)
        body = Body((bytes(65536) for _ in unread), None)
        async with asyncio.timeout(5):
            assert await fetch(upstream, b"POST", body=body) == (413, b"too much")
        assert next(unread) < 1000
        assert (upstream.active, upstream.idle) == (0, 0)
        await raw.connections[0].closed.wait()


async def test_early_refusal_of_a_silent_upload(connect: Connect) -> None:
    """H-48: also while the caller has nothing to send."""
    never = asyncio.Event()
    async with RawUpstream([response(status=b"401 Unauthorized"), STAY]) as raw:
        upstream = connect(raw.url)
        assert await fetch(upstream, b"POST", body=Body([BEGUN, never])) == (401, b"")
        assert upstream.active == 0


async def test_refusal_stops_the_upload_before_its_body_is_whole(connect: Connect) -> None:
    """H-48: an error status is enough; its body may still be on its way."""
    gate = asyncio.Event()
    taken: list[int] = []

    def pieces() -> object:
        yield BEGUN
        yield gate
        taken.append(1)
        yield b"b"

    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n"
    rest = asyncio.Event()
    async with RawUpstream([head + b"n", rest, b"o", STAY]) as raw:
        answer = await send(connect(raw.url), b"POST", body=Body(pieces()))
        gate.set()
        rest.set()
        assert await read_all(answer) == b"no"
        assert taken == []


async def test_both_ways_at_once(connect: Connect) -> None:
    """An upstream may answer while it still reads: the upload goes on."""
    gate = asyncio.Event()
    async with RawUpstream([CHUNKED + b"1\r\na\r\n", READ_BODY, b"1\r\nb\r\n0\r\n\r\n"]) as raw:
        upstream = connect(raw.url)
        answer = await send(upstream, b"POST", body=Body([BEGUN, gate, b"y"]))
        assert await answer.read() == b"a"
        gate.set()
        assert await read_all(answer) == b"b"
        assert raw.body_sizes == [len(BEGUN) + 1]
        assert upstream.idle == 1


@pytest.mark.parametrize("phase", ["before the head", "within the upload", "within the response"])
async def test_cancelled(connect: Connect, phase: str) -> None:
    """F-20: cancelled at any wait, the upstream sees its connection close, and neither place nor task is left."""
    script = [HEAD + b"Content-Length: 9\r\n\r\nabc", STAY] if phase == "within the response" else [STAY]
    body = Body([BEGUN, asyncio.Event()]) if phase == "within the upload" else None
    async with RawUpstream(script) as raw:
        upstream = connect(raw.url)
        request = asyncio.ensure_future(fetch(upstream, b"POST", body=body))
        await until(lambda: bool(raw.requests))
        await asyncio.sleep(0.01)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert (upstream.active, upstream.idle) == (0, 0)
        await raw.connections[0].closed.wait()
        assert all("_send_body" not in repr(task) for task in asyncio.all_tasks())
