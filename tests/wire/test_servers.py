"""Behind the proxy, the common servers all see the same, and what the caller meant."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from proxy.demo import Demo
from tests.support.proxy import running
from tests.support.raw_client import RawClient, connected
from tests.support.recording_upstream import RecordingUpstream
from tests.support.strict_http import Fields, Request, read_requests

from .servers import SERVERS, serving
from .shapes import TOKEN, request

TARGETS = [
    b"/orders",
    b"/orders/",
    b"/orders?",
    b"/orders?a=b&c=d",
    b"/orders?a?b/../c",
    b"/orders?%2e%2E%2f%5c%20",
    b"/orders?a=b;c",
    b"/orders/a.b/..c/d../...",
    b"/orders/-._~!$&'()*+,;=:@",
    b"/orders/%41%7a%C3%A9",
    b"/orders/%20%3F%23",
    b"/orders/a;b=c/d",
    b"/orders//a",
    b"/orders/" + b"a" * 4000,
]
METHODS = [b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"PROPFIND", b"REPORT"]
BODY = bytes(range(256)) * 200
BODIES = [
    ([b"Content-Length: 0"], b""),
    ([b"Content-Length: 5"], b"hello"),
    ([b"Content-Length: %d" % len(BODY)], BODY),
    ([b"Transfer-Encoding: chunked"], b"5\r\nhello\r\n0\r\n\r\n"),
    ([b"Transfer-Encoding: chunked"], b"0\r\n\r\n"),
    ([b"transfer-encoding:CHUNKED"], b"1;a=b\r\nh\r\n04\r\nello\r\n0;c\r\n\r\n"),
    ([b"Transfer-Encoding: chunked"], b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
    (
        [b"Transfer-Encoding: chunked"],
        b"5\r\nhello\r\n0\r\nX-Trailer: no\r\nAuthorization: Bearer no\r\n\r\n",
    ),
    ([b"Content-Length: 40"], b"GET /orders/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"[:40]),
]
FIELDS = [
    [b"X-A: 1", b"X-B: 2", b"X-A: 3"],
    [b"X-Empty:", b"X-Spaced: \t a  b \t "],
    [b"X-Text: \xff\xe9"],
    [b"x-lower: 1", b"X-UPPER: 2"],
    [b"Cookie: a=b; c=d", b"Accept: */*", b"User-Agent: odd/1.0 (x; y)"],
    [b"Content-Type: application/json", b"If-None-Match: \"a\", W/\"b\"", b"X-Range: bytes=0-4"],
    [b"Connection: keep-alive, X-Hop", b"X-Hop: no", b"Keep-Alive: timeout=5", b"TE: trailers"],
    [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"],
    [b"X_Forwarded_User: root", b"X-Forwarded-User: root", b"X_Auth_Request_Email: root"],
    [b"X-Long: " + b"a" * 4000],
    [b"X-A: 1"] * 40,
]  # fmt: skip
REQUESTS = [
    *(request(b"GET " + target + b" HTTP/1.1") for target in TARGETS),
    *(request(method + b" /orders/7?x=y HTTP/1.1") for method in METHODS),
    *(request(b"POST /orders/7 HTTP/1.1", *fields, body=body) for fields, body in BODIES),
    request(b"GET /orders HTTP/1.1", b"Content-Length: 5", body=b"hello"),
    request(b"DELETE /orders HTTP/1.1", b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
    *(request(b"GET /orders HTTP/1.1", *fields) for fields in FIELDS),
]  # fmt: skip
# Fields of a caller that are not for the upstream, or that the proxy says itself.
ENDED = {
    b"host", b"authorization", b"connection", b"keep-alive", b"te", b"upgrade", b"http2-settings", b"x-hop",
    b"transfer-encoding", b"content-length", b"x-forwarded-user", b"x_forwarded_user", b"x_auth_request_email",
}  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that also a server without privileges may read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


OURS = {b"host", b"authorization", b"connection", b"transfer-encoding", b"content-length"}


@pytest.mark.timeout(240)  # Go compiles its own library first
@pytest.mark.parametrize("name", SERVERS)
async def test_a_server_sees_what_the_caller_meant(demo: Demo, name: str, folder: Path):
    """H-21, H-22, H-23, H-25, H-29, H-31, H-33, H-35: method, target, end-to-end fields and body, for each one."""
    async with RecordingUpstream() as echo, serving(SERVERS[name], folder, echo.port) as url:
        raw = demo.settings()
        raw["routes"] = [raw["routes"][0] | {"upstream": url}]
        async with running(raw) as proxy, connected(proxy.server.address) as client:
            for data in REQUESTS:
                await judge(client, data.replace(TOKEN, demo.mint("alice").encode()))


async def judge(client: RawClient, data: bytes) -> None:
    (meant,), _ = read_requests(data)
    assert isinstance(meant, Request)
    await client.send(data)
    answer = await client.response(meant.method.decode())
    assert answer.status == 200, (data[:200], answer)
    seen = json.loads(answer.body)
    fields = [(name.encode(), value.encode("latin-1")) for name, value in seen["fields"]]
    assert seen["method"].encode() == meant.method
    assert seen["target"].encode() == meant.target
    assert seen["body"].encode("latin-1") == meant.body
    theirs = merge(fields)
    for name, value in merge(meant.fields).items():
        if name not in ENDED:
            assert theirs.get(name) == value
    (authorization,) = [value for name, value in fields if name == b"authorization"]
    assert authorization not in meant.values(b"authorization")
    assert not (ENDED - OURS | {b"x-trailer"}) & set(theirs)


def merge(fields: Iterable[tuple[bytes, bytes]] | Fields) -> dict[bytes, bytes]:
    """Values by name; repeats in one, which servers may do (RFC 9110 §5.3)."""
    merged: dict[bytes, list[bytes]] = defaultdict(list)
    for name, value in fields:
        merged[name].append(value)
    return {name: b", ".join(values) for name, values in merged.items()}
