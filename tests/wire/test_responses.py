"""Answers of any kind through the running proxy: whatever one user's upstream says, the next one gets his own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from proxy.demo import Demo
from tests.support.proxy import Running, running
from tests.support.raw_client import RawClient, RawResponse, Truncated, connected
from tests.support.raw_upstream import CLOSE, READ_BODY, STAY, RawUpstream, Script, response

from .answers import ANSWERS, CUT, LENGTH, POISON, REFUSED, WHOLE, Answer, head

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Scripted(RawUpstream):
    """Says ``script`` to alice, and to everybody else what is theirs."""

    script: Script = ()

    def next_script(self) -> Script:
        _, target, _ = self.requests[-1].split(b" ", 2)
        return self.script if target == b"/orders/alice" else [response(target)]


class Stage:
    def __init__(self, proxy: Running, upstream: Scripted, demo: Demo) -> None:
        self.proxy = proxy
        self.upstream = upstream
        self._tokens = {user: demo.mint(user) for user in ("alice", "bob")}

    def request(self, user: str, *fields: str, method: str = "GET", path: str | None = None) -> bytes:
        lines = [
            f"{method} /orders/{path or user} HTTP/1.1",
            "Host: proxy.example",
            f"Authorization: Bearer {self._tokens[user]}",
            *fields,
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    async def ask_bob(self) -> None:
        """Bob's own answer, whatever state alice's has left the connections in."""
        async with connected(self.proxy.server.address) as bob:
            for _ in range(2):
                await bob.send(self.request("bob"))
                assert (await bob.response()).body == b"/orders/bob"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with Demo() as demo, Scripted() as upstream:
        raw = demo.settings()
        raw["routes"] = [raw["routes"][0] | {"upstream": upstream.url}]
        async with running(raw) as proxy:
            yield Stage(proxy, upstream, demo)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """F-38: no line of the log is an error, and none a traceback."""
    yield
    assert not [
        record.message for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR
    ]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
async def test_the_next_answer_is_the_next_users_own(stage: Stage, answer: Answer):
    """H-40, H-41, H-42, H-43, H-46, F-10, F-11, F-38: an answer is relayed, refused or visibly cut; behind it
    the connection is clean or closed, for others and for the same caller."""
    stage.upstream.script = answer.script
    fields = ["Content-Length: 0"] if answer.method == "POST" else []
    async with connected(stage.proxy.server.address) as alice:
        await alice.send(stage.request("alice", *fields, method=answer.method))
        fate, got = await read(alice, answer.method)
        await stage.ask_bob()
        if got is None:
            assert fate in answer.fate
            return
        assert fate in answer.fate
        if fate == WHOLE:
            judge(answer, got)
        await alice.send(stage.request("alice", "Connection: close", path="again"))
        assert (await alice.response()).body == b"/orders/again"
        assert await alice.rest() == b""


async def read(client: RawClient, method: str) -> tuple[str, RawResponse | None]:
    try:
        got = await client.response(method)
    except (Truncated, ConnectionResetError):
        return CUT, None
    return (REFUSED if got.status == 502 else WHOLE), got


def judge(answer: Answer, got: RawResponse) -> None:
    assert (got.status, got.body) == (answer.status, answer.body)
    names = [name for name, _ in got.headers]
    assert names.count(b"via") == 1
    if got.status == 204:
        assert b"content-length" not in names
    assert not {b"set-cookie", b"x-checksum", b"link"} & set(names)
    assert not {b"content-length", b"transfer-encoding"} <= set(names)


async def test_what_comes_late_is_nobodys(stage: Stage):
    """H-40: a response that nobody asked for, on a connection that waits in the pool."""
    late = asyncio.Event()
    stage.upstream.script = [LENGTH, late, POISON]
    async with connected(stage.proxy.server.address) as alice:
        await alice.send(stage.request("alice"))
        assert (await alice.response()).body == b"hello"
        late.set()
        await stage.ask_bob()


EARLY = {
    "and reads no more": [response(b"no", status=b"413 Content Too Large"), STAY],
    "and closes": [response(b"no", status=b"413 Content Too Large"), CLOSE],
    "saying so": [response(b"no", b"Connection: close", status=b"413 Content Too Large"), CLOSE],
    "and reads on": [response(b"no", status=b"413 Content Too Large"), READ_BODY],
    "in chunks": [head(b"Transfer-Encoding: chunked", status=b"HTTP/1.1 413 x") + b"2\r\nno\r\n0\r\n\r\n", STAY],
}  # fmt: skip


@pytest.mark.parametrize("script", EARLY.values(), ids=EARLY)
@pytest.mark.parametrize("framing", ["Content-Length: 100000000", "Transfer-Encoding: chunked"])
async def test_an_early_refusal_ends_an_upload(stage: Stage, script: Script, framing: str):
    """H-48, H-24: the caller sees it while it still sends; its connection ends, and the next user's is his own."""
    stage.upstream.script = script
    piece = b"10000\r\n%b\r\n" % bytes(65536) if "chunked" in framing else bytes(65536)
    async with connected(stage.proxy.server.address) as alice:
        await alice.send(stage.request("alice", framing, method="POST") + piece * 4)
        got = await alice.response()
        assert (got.status, got.body, got.header(b"connection")) == (413, b"no", b"close")
        await stage.ask_bob()


FIELDS = {
    "Connection: x-hop, close": None,
    "X-Hop: 1": None,
    "Keep-Alive: timeout=5": None,
    "Proxy-Authenticate: Basic": None,
    "Proxy-Connection: close": None,
    "Trailer: X": None,
    "Upgrade: h2c": None,
    "TE: trailers": None,
    "Date: Sat, 01 Jan 2000 00:00:00 GMT": 1,
    "Server: theirs": 1,
    "Set-Cookie: a=1; Domain=upstream.example": 1,
    "Set-Cookie: b=2, c": 1,
    "set-cookie: a=1": 1,
    'WWW-Authenticate: Basic realm="a, b"': 1,
    "WWW-Authenticate: Negotiate": 1,
    "Location: http://upstream.example/x?y#z": 1,
    "Content-Location: /x": 1,
    "Refresh: 5; url=/x": 1,
    "Strict-Transport-Security: max-age=1": 1,
    "Content-Encoding: gzip": 1,
    "Content-MD5: x": 1,
    'ETag: W/"x"': 1,
    "Content-Range: bytes 0-4/10": 1,
    "Accept-Ranges: bytes": 1,
    "X: \xff\xe9": 1,
    "X:": 1,
}


@pytest.mark.parametrize("status", [200, 206, 302, 304, 401, 416, 451, 503, 599])
async def test_fields_pass_in_order(stage: Stage, status: int):
    """H-28, H-31, H-34, H-35, H-36, H-43, H-44, H-45, H-47: repeats and order kept, bytes untouched, hop-by-hop
    gone, and nothing added but Via."""
    given = [name.encode("latin-1") for name in FIELDS]
    line = b"HTTP/1.1 %d Their reason" % status
    stage.upstream.script = [head(b"Content-Length: 5", *given, status=line) + b"\x1f\x8bbad"]
    async with connected(stage.proxy.server.address) as alice:
        await alice.send(stage.request("alice"))
        got = await alice.response()
    kept = [tuple(name.split(":", 1)) for name, passes in FIELDS.items() if passes]
    expected = [(name.lower().encode(), value.strip().encode("latin-1")) for name, value in kept]
    own = {b"content-length", b"via"}
    assert [field for field in got.headers if field[0] not in own] == expected
    assert (got.status, got.body) == (status, b"" if status == 304 else b"\x1f\x8bbad")
    await stage.ask_bob()
