"""Requests to an authorization server over real sockets: connections are kept, and nothing else is."""

from __future__ import annotations

import asyncio

import pytest

from proxy.config import models
from proxy.errors import AuthorizationServerTimeout, AuthorizationServerUnavailable, ExchangeResponseInvalid
from proxy.exchange.transport import MAX_ANSWER, Outbound

from ...support.certificates import Authority, server_context
from ...support.raw_upstream import CLOSE, READ_BODY, RESET, STAY, RawUpstream, response

FORM = b"grant_type=x"
ONE, TWO = response(b"1"), response(b"2")


@pytest.fixture
async def outbound():
    outbound = Outbound(models.AuthorizationServer(issuer="https://okta", timeout=5))
    yield outbound
    await outbound.aclose()


async def ask(outbound: Outbound, server: RawUpstream) -> bytes:
    return (await outbound.post(f"{server.url}/token", {}, FORM)).body


async def test_a_request_byte_for_byte(outbound):
    """X-01: our fields and no others; the query belongs to the target."""
    async with RawUpstream([READ_BODY, ONE]) as server:
        await outbound.post(f"{server.url}/token?a=%20b", {"Authorization": "Basic x"}, FORM)
        assert server.requests[0].split(b"\r\n") == [
            b"POST /token?a=%20b HTTP/1.1",
            b"Host: localhost:%d" % server.port,
            b"Accept: application/json",
            b"Accept-Encoding: identity",
            b"User-Agent: obo-proxy",
            b"Content-Type: application/x-www-form-urlencoded",
            b"Authorization: Basic x",
            b"Content-Length: 12",
            b"",
            b"",
        ]
        assert server.bodies == [FORM]


async def test_connections_are_kept(outbound):
    """One connection serves an origin's endpoints in turn; a GET carries no body."""
    async with RawUpstream([READ_BODY, ONE]) as server:
        assert await ask(outbound, server) == b"1"
        assert (await outbound.get(f"{server.url}/keys")).body == b"1"
        assert await ask(outbound, server) == b"1"
        assert len(server.connections) == 1
        assert b"ontent-" not in server.requests[1]


async def test_each_origin_has_its_own_connections(outbound):
    """K-02: keys may be configured to lie on another host; nothing meant for one goes to the other."""
    async with RawUpstream([READ_BODY, ONE]) as server, RawUpstream([TWO]) as other:
        assert [await ask(outbound, server), (await outbound.get(other.url)).body] == [b"1", b"2"]
        assert (len(server.requests), len(other.requests)) == (1, 1)


async def test_connections_over_tls_are_kept(tmp_path):
    """O-05: ca_file alone is trusted, for each endpoint of the server; the handshake is made once."""
    authority = Authority(tmp_path)
    settings = models.AuthorizationServer(issuer="https://okta", ca_file=authority.ca_file)
    outbound = Outbound(settings)
    async with RawUpstream([READ_BODY, ONE], tls=server_context(authority.issue())) as server:
        for _ in range(3):
            assert await ask(outbound, server) == b"1"
        assert len(server.connections) == 1
    await outbound.aclose()


async def test_nothing_is_left_when_it_is_closed(outbound):
    """A request under way ends, connections close, and no new one is opened, to whatever origin."""
    async with RawUpstream([READ_BODY, STAY]) as server, RawUpstream([READ_BODY, ONE]) as other:
        asking = asyncio.create_task(ask(outbound, server))
        while not server.requests:
            await asyncio.sleep(0)
        await outbound.aclose()
        for request in (asking, ask(outbound, server), ask(outbound, other)):
            with pytest.raises(AuthorizationServerUnavailable):
                await request
        await asyncio.wait_for(server.connections[0].closed.wait(), 5)
        assert (len(server.connections), len(other.connections)) == (1, 0)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(ONE + ONE, id="a second response"),
        pytest.param(response(b"", status=b"204 No Content") + ONE, id="204 and more"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + ONE, id="behind the chunks"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\n", id="a line end"),
    ],
)
async def test_what_is_left_unread_is_nobodys_answer(outbound, said):
    """H-40: such a connection serves no other request."""
    async with RawUpstream([READ_BODY, said, STAY], [READ_BODY, TWO]) as server:
        await ask(outbound, server)
        assert await ask(outbound, server) == b"2"
        assert len(server.connections) == 2


async def test_an_idle_connection_that_was_closed_costs_nothing(outbound):
    """The server may close what is idle: the next request opens a connection, and fails not."""
    async with RawUpstream([READ_BODY, ONE, CLOSE], [READ_BODY, TWO]) as server:
        await ask(outbound, server)
        server.connections[0].end()
        assert await ask(outbound, server) == b"2"


async def test_a_form_is_never_sent_twice(outbound):
    """X-09: where the connection ends under it, whoever signed it decides; a GET is asked again at once."""
    async with RawUpstream([READ_BODY, ONE], [READ_BODY, RESET], [ONE], [RESET], [TWO]) as server:
        await ask(outbound, server)
        with pytest.raises(AuthorizationServerUnavailable) as refused:
            await ask(outbound, server)
        assert refused.value.retry_after
        assert len(server.requests) == 2
        await outbound.get(server.url)
        assert (await outbound.get(server.url)).body == b"2"


async def test_the_late_answer_of_one_is_not_the_next_ones():
    """X-13, F-22: when time is up the connection goes, and the answer with it."""
    outbound = Outbound(models.AuthorizationServer(issuer="https://okta", timeout=0.2))
    late = asyncio.Event()
    async with RawUpstream([READ_BODY, late, ONE, STAY], [READ_BODY, TWO]) as server:
        with pytest.raises(AuthorizationServerTimeout):
            await ask(outbound, server)
        late.set()
        assert await ask(outbound, server) == b"2"
        await asyncio.wait_for(server.connections[0].closed.wait(), 5)
    await outbound.aclose()


async def test_cancelled_requests_lose_no_connection(outbound):
    """F-22: a caller who leaves takes his connection along, and everybody after him is served."""
    never = asyncio.Event()
    async with RawUpstream(*[[READ_BODY, never]] * 300, [READ_BODY, ONE]) as server:
        asking = [asyncio.create_task(ask(outbound, server)) for _ in range(300)]
        while len(server.requests) < 200:
            await asyncio.sleep(0)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        server.requests.extend([b""] * 300)  # the script's last step from here on
        assert await asyncio.gather(*(ask(outbound, server) for _ in range(200))) == [b"1"] * 200
        assert server.open_connections <= 256


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: %d\r\n\r\n" % (MAX_ANSWER * 100),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (MAX_ANSWER * 100),
        b"\r\n",
    ],
    ids=["length", "chunks", "until the end"],
)
async def test_answers_have_a_size(outbound, framing):
    """X-13: what is too large is not waited for."""
    said = b"HTTP/1.1 200 OK\r\n" + framing + b" " * (MAX_ANSWER + 1)
    async with RawUpstream([READ_BODY, said, STAY]) as server:
        with pytest.raises(ExchangeResponseInvalid, match="larger"):
            await ask(outbound, server)
        await asyncio.wait_for(server.connections[0].closed.wait(), 5)


@pytest.mark.parametrize(
    ("said", "match"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100 + ONE, "interim"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "head"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12", "malformed"),
        (b"HTTP/2 200\r\n\r\n", "status line"),
    ],
    ids=["1xx flood", "endless head", "two lengths", "another version"],
)
async def test_what_is_not_http(outbound, said, match):
    """F-02: no answer, and said why."""
    async with RawUpstream([READ_BODY, said, STAY]) as server:
        with pytest.raises(AuthorizationServerUnavailable, match=match):
            await ask(outbound, server)


async def test_an_encoded_answer_is_refused(outbound):
    """X-13: in any spelling, and in a list; the plain one may say so."""
    encoded = response(b"x", b"Content-Encoding: identity", b"Content-Encoding: gzip")
    async with RawUpstream(
        [READ_BODY, encoded], [READ_BODY, response(b"1", b"content-encoding: Identity")]
    ) as server:
        with pytest.raises(ExchangeResponseInvalid, match="encoded"):
            await ask(outbound, server)
        assert await ask(outbound, server) == b"1"


async def test_a_body_in_pieces_and_repeated_fields(outbound):
    """RFC 9110 §5.3: repeated fields are one list; a body may come in any pieces."""
    more = asyncio.Event()
    head = (
        b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nCache-Control: max-age=9\r\nContent-Length: 4\r\n\r\n"
    )
    async with RawUpstream([head + b"a", more, b"bcd"]) as server:
        asking = asyncio.create_task(outbound.get(server.url))
        while not server.requests:
            await asyncio.sleep(0)
        more.set()
        answer = await asking
        assert (answer.status, answer.body) == (200, b"abcd")
        assert answer.headers["cache-control"] == "no-store, max-age=9"


def test_an_unusable_ca_file_is_noticed_at_once(tmp_path):
    """O-05: not with the first request."""
    with pytest.raises(FileNotFoundError):
        Outbound(models.AuthorizationServer(issuer="https://okta", ca_file=tmp_path / "none"))


async def test_authorities_that_changed(tmp_path):
    """O-05: new requests go by what the CA file says now; who waits for an answer gets it."""
    one, other = Authority(tmp_path, "one"), Authority(tmp_path, "other")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(one.ca_file.read_bytes())
    settings = models.AuthorizationServer(issuer="https://okta", ca_file=trusted, timeout=5)
    outbound = Outbound(settings)
    answering = asyncio.Event()
    async with (
        RawUpstream([READ_BODY, answering, ONE, STAY], tls=server_context(one.issue())) as old,
        RawUpstream([READ_BODY, TWO], tls=server_context(other.issue())) as new,
    ):
        waiting = asyncio.create_task(ask(outbound, old))
        while not old.requests:
            await asyncio.sleep(0)
        trusted.write_bytes(other.ca_file.read_bytes())
        with pytest.raises(AuthorizationServerUnavailable):
            await ask(outbound, new)
        put_to_use = outbound.prepare_authorities()
        put_to_use()
        assert await ask(outbound, new) == b"2"
        answering.set()
        assert await waiting == b"1"
        with pytest.raises(AuthorizationServerUnavailable):
            await ask(outbound, old)
        await asyncio.wait_for(old.connections[0].closed.wait(), 5)
    await outbound.aclose()
