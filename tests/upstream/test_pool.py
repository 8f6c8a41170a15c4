"""The connections to one upstream: how many, how long, and whose turn it is."""

import asyncio
import random
from pathlib import Path

import pytest

from proxy.errors import Overloaded, UpstreamTimeout, UpstreamUnreachable
from proxy.runtime import Sweep
from proxy.upstream.connection import Unanswered
from proxy.upstream.places import WAITING_PER_PLACE
from proxy.upstream.pool import IDLE_EXPIRY, MAX_AGE
from tests.support.raw_upstream import CLOSE, READ_BODY, RESET, STAY, RawUpstream, response

from .requests import HEAD, Body, Connect, fetch, send, until


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def tick(sweep: Sweep, later: float) -> None:
    """The sweep comes by, ``later`` seconds from now."""
    now = asyncio.get_running_loop().time() + later
    for listener in tuple(sweep._listeners):
        listener(now)


async def test_connections_are_bounded(connect: Connect) -> None:
    """F-25: no more connections than allowed; who comes later waits and is served in the order of coming."""
    gate = asyncio.Event()
    async with RawUpstream([gate, response()]) as raw:
        upstream = connect(raw.url, max_connections=2)
        callers = [asyncio.ensure_future(fetch(upstream, path=b"/%d" % number)) for number in range(6)]
        await until(lambda: len(raw.requests) == 2)
        assert (upstream.active, upstream.idle, upstream.waiting) == (2, 0, 4)
        gate.set()
        await asyncio.gather(*callers)
        assert (upstream.active, upstream.idle, upstream.waiting) == (0, 2, 0)
        assert len(raw.connections) == 2
        assert {head.split()[1] for head in raw.requests[:4]} == {b"/0", b"/1", b"/2", b"/3"}


async def test_queue_is_bounded_in_number(connect: Connect) -> None:
    """F-25: beyond the queue there is an answer at once."""
    async with RawUpstream([STAY]) as raw:
        upstream = connect(raw.url, max_connections=1)
        callers = [asyncio.ensure_future(fetch(upstream)) for _ in range(1 + WAITING_PER_PLACE)]
        await until(lambda: len(raw.requests) == 1)
        assert upstream.waiting == WAITING_PER_PLACE
        with pytest.raises(Overloaded) as refused:
            await send(upstream)
        assert refused.value.retry_after
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        assert (upstream.active, upstream.waiting) == (0, 0)


async def test_queue_is_bounded_in_time(connect: Connect, sweep: Sweep) -> None:
    """F-25: nobody waits longer for a connection than one may take to open."""
    async with RawUpstream([STAY]) as raw:
        upstream = connect(raw.url, max_connections=1)
        first, second = asyncio.ensure_future(fetch(upstream)), asyncio.ensure_future(fetch(upstream))
        await until(lambda: upstream.waiting == 1 and len(raw.requests) == 1)
        tick(sweep, 4.9)
        assert not second.done()
        tick(sweep, 5.1)
        with pytest.raises(Overloaded):
            await second
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_one_user_leaves_room_for_others(connect: Connect, sweep: Sweep) -> None:
    """F-25: who holds many connections waits for the next one, and is refused in time; others are served at once."""
    never = asyncio.Event()
    async with RawUpstream(*[[never]] * 6, [response(b"a")]) as raw:
        upstream = connect(raw.url, max_connections=8)
        held = [asyncio.ensure_future(fetch(upstream, user="bob")) for _ in range(7)]
        await until(lambda: len(raw.requests) == 6)
        assert (upstream.active, upstream.waiting) == (6, 1)
        assert await fetch(upstream, user="alice") == (200, b"a")
        assert await fetch(upstream, user="192.0.2.1") == (200, b"a")
        assert (upstream.active, upstream.idle, upstream.waiting) == (6, 1, 1)
        tick(sweep, 5.1)
        with pytest.raises(Overloaded, match="this user has 6 of 8"):
            await held[-1]
        held[0].cancel()
        await until(lambda: upstream.active == 5)
        assert await fetch(upstream, user="bob") == (200, b"a")
        for request in held:
            request.cancel()
        await asyncio.gather(*held, return_exceptions=True)


async def test_whoever_has_their_share_takes_the_connection_that_is_idle(connect: Connect) -> None:
    """F-25: as soon as there is room again, and without another being opened."""
    never = asyncio.Event()
    async with RawUpstream(*[[never]] * 3, [response(b"a")]) as raw:
        upstream = connect(raw.url, max_connections=4)
        held = [asyncio.ensure_future(fetch(upstream, user="bob")) for _ in range(3)]
        await until(lambda: len(raw.requests) == 3)
        await fetch(upstream, user="alice")
        fourth = asyncio.ensure_future(fetch(upstream, user="bob"))
        await until(lambda: upstream.waiting == 1)
        assert upstream.idle == 1
        held[0].cancel()
        assert await fourth == (200, b"a")
        assert len(raw.connections) == 4
        for request in held:
            request.cancel()
        await asyncio.gather(*held, return_exceptions=True)


async def test_connections_outside_the_pool_count(connect: Connect) -> None:
    """F-25: what is opened beside it takes a place, and an idle connection's where there is no other room."""
    gate = asyncio.Event()
    async with RawUpstream([gate, response()]) as raw:
        upstream = connect(raw.url, max_connections=2)
        both = asyncio.gather(fetch(upstream), fetch(upstream))
        await until(lambda: len(raw.requests) == 2)
        gate.set()
        await both
        await upstream.enter("bob")
        assert (upstream.active, upstream.idle) == (1, 1)
        await upstream.enter("alice")
        assert (upstream.active, upstream.idle) == (2, 0)
        waiting = asyncio.ensure_future(fetch(upstream, user="carol"))
        await until(lambda: upstream.waiting == 1)
        upstream.leave("bob")
        assert await waiting == (200, b"")
        upstream.leave("alice")


async def test_a_repeated_request_opens_no_connection_too_many(connect: Connect) -> None:
    """F-12, F-25: an idle one makes room for the new one that it needs."""
    gates = [asyncio.Event() for _ in range(2)]
    async with RawUpstream([gates[0], response()], [gates[1], response()], [CLOSE], [response(b"b")]) as raw:
        upstream = connect(raw.url, max_connections=2)
        both = asyncio.gather(fetch(upstream), fetch(upstream))
        await until(lambda: len(raw.requests) == 2)
        for gate in gates:
            gate.set()
        await both
        assert upstream.idle == 2
        assert await fetch(upstream) == (200, b"b")
        assert (upstream.active, upstream.idle) == (0, 2)


async def test_lost_connection_gives_up_its_place(connect: Connect) -> None:
    """F-22: who waits may open a connection where another was lost."""
    gate = asyncio.Event()
    async with RawUpstream([gate, CLOSE], [response(b"a")]) as raw:
        upstream = connect(raw.url, max_connections=1)
        first, second = asyncio.ensure_future(fetch(upstream)), asyncio.ensure_future(fetch(upstream))
        await until(lambda: upstream.waiting == 1 and len(raw.requests) == 1)
        gate.set()
        with pytest.raises(UpstreamUnreachable):
            await first
        assert await second == (200, b"a")


async def test_last_used_is_used_first(connect: Connect, sweep: Sweep) -> None:
    """F-13: idle connections are reused last in first out, and those left over expire."""
    gate = asyncio.Event()
    async with RawUpstream([gate, response()]) as raw:
        upstream = connect(raw.url)
        both = asyncio.gather(fetch(upstream), fetch(upstream))
        await until(lambda: len(raw.requests) == 2)
        gate.set()
        await both
        assert upstream.idle == 2
        await fetch(upstream)
        assert len(raw.connections) == 2
        tick(sweep, IDLE_EXPIRY - 1)
        assert upstream.idle == 2
        tick(sweep, IDLE_EXPIRY + 1)
        assert upstream.idle == 0
        for connection in raw.connections:
            await connection.closed.wait()


async def test_no_connection_is_for_ever(connect: Connect) -> None:
    """F-33: a connection of great age is not kept, so that names are resolved anew."""
    async with RawUpstream() as raw:
        upstream = connect(raw.url)
        await fetch(upstream)
        upstream._idle[0].opened_at -= MAX_AGE + 1
        await fetch(upstream)
        assert upstream.idle == 0
        await fetch(upstream)
        assert len(raw.connections) == 2


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["FIN", "RST"])
async def test_stale_connection_repeats_once(connect: Connect, end: object) -> None:
    """F-12: a GET that meets a connection just closed is sent again on a new one, once."""
    async with RawUpstream([response(b"a")], [end], [response(b"b")]) as raw:
        upstream = connect(raw.url)
        assert await fetch(upstream) == (200, b"a")
        assert await fetch(upstream) == (200, b"b")
        assert len(raw.requests) == 3
        assert len(raw.connections) == 2


async def test_repeats_no_more_than_once(connect: Connect) -> None:
    """F-12: an upstream that closes again is unreachable."""
    async with RawUpstream([response()], [CLOSE]) as raw:
        upstream = connect(raw.url)
        await fetch(upstream)
        with pytest.raises(UpstreamUnreachable):
            await send(upstream)
        assert len(raw.requests) == 3


@pytest.mark.parametrize("method", [b"POST", b"PUT"])
@pytest.mark.parametrize("with_body", [False, True], ids=["no body", "body"])
async def test_never_repeated(connect: Connect, method: bytes, with_body: bool) -> None:
    """F-12: what is not idempotent, or has a body, is never sent twice once anything of it was written."""
    async with RawUpstream([response()], [READ_BODY, CLOSE], [response()]) as raw:
        upstream = connect(raw.url)
        await fetch(upstream)
        with pytest.raises(UpstreamUnreachable):
            await send(upstream, method, body=Body([b"a"], 1) if with_body else None, idempotent=with_body)
        assert len(raw.requests) == 2


async def test_not_repeated_once_anything_was_answered(connect: Connect) -> None:
    """F-12: a single byte of a response shows that the request was seen."""
    async with RawUpstream([response()], [b"H", CLOSE]) as raw:
        upstream = connect(raw.url)
        await fetch(upstream)
        with pytest.raises(Exception, match="within the response head"):
            await send(upstream)
        assert len(raw.requests) == 2


async def test_post_avoids_a_closed_connection(connect: Connect) -> None:
    """F-12: a POST is written to no connection that has been closed, even if the loop has not read that yet."""
    async with RawUpstream() as raw:
        upstream = connect(raw.url)
        for _ in range(20):
            assert await fetch(upstream, b"POST") == (200, b"")
            raw.connections[-1].transport.abort()
            await raw.connections[-1].closed.wait()
        assert len(raw.requests) == 20


async def test_closing_upstream_fails_no_request(connect: Connect) -> None:
    """F-12: 500 GETs in a row to an upstream that closes after each response all succeed."""
    async with RawUpstream([response(b"a"), CLOSE]) as raw:
        upstream = connect(raw.url)
        for _ in range(500):
            assert await fetch(upstream) == (200, b"a")


async def test_refused(connect: Connect) -> None:
    """F-11: nobody listens."""
    async with RawUpstream() as raw:
        url = raw.url
    upstream = connect(url)
    with pytest.raises(UpstreamUnreachable):
        await send(upstream)
    assert upstream.active == 0


async def test_unknown_name(connect: Connect) -> None:
    """F-33: a name that does not resolve."""
    upstream = connect("http://nowhere.invalid")
    with pytest.raises(UpstreamUnreachable):
        await send(upstream)
    assert upstream.active == 0


async def test_connect_timeout(connect: Connect, tmp_path: Path) -> None:
    """F-14: a handshake that is not answered in time; its place is free again."""
    async with RawUpstream() as raw:
        upstream = connect(raw.url.replace("http:", "https:"), connect=0.05)
        with pytest.raises(UpstreamTimeout):
            await send(upstream)
        assert upstream.active == 0
        await raw.connections[0].closed.wait()


async def test_unix_socket(connect: Connect, tmp_path: Path) -> None:
    """An upstream may be a unix-domain socket."""
    async with RawUpstream([response(b"a")], path=tmp_path / "s") as raw:
        assert await fetch(connect(raw.url)) == (200, b"a")


async def test_aclose(connect: Connect) -> None:
    """Closing ends what is idle, under way and waiting, each with its error, and refuses what comes later."""
    async with RawUpstream([STAY]) as raw:
        upstream = connect(raw.url, max_connections=1)
        callers = [asyncio.ensure_future(fetch(upstream)) for _ in range(2)]
        await until(lambda: len(raw.requests) == 1)
        await upstream.aclose()
        outcomes = await asyncio.gather(*callers, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unanswered, Overloaded]
        with pytest.raises(Overloaded):
            await send(upstream)


async def test_churn(connect: Connect) -> None:
    """F-22: cancelled callers at five times the pool's size leave every place, file and task free."""
    async with RawUpstream([HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n0\r\n\r\n"]) as raw:
        upstream = connect(raw.url, max_connections=4)
        await fetch(upstream)
        files, tasks = open_files(), len(asyncio.all_tasks())
        dice = random.Random(4)
        for _ in range(60):
            callers = [asyncio.ensure_future(fetch(upstream)) for _ in range(20)]
            for caller in callers:
                if dice.random() < 0.5:
                    for _ in range(dice.randrange(4)):
                        await asyncio.sleep(0)
                    caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
            assert upstream.active == upstream.waiting == 0
        await asyncio.gather(*(fetch(upstream) for _ in range(20)))
        assert (upstream.active, upstream.waiting) == (0, 0)
        assert 1 <= upstream.idle <= 4
        await until(lambda: raw.open_connections == upstream.idle)
        assert len(asyncio.all_tasks()) - upstream.idle <= tasks
        assert open_files() <= files + 2 * (upstream.idle - 1)
