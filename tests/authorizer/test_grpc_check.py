"""A Check over gRPC: the same question as over HTTP, and the same answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.authorizer.grpc_check import CHECK, is_check, read_check
from proxy.authorizer.protobuf import read_bytes, read_fields, read_one, write_bytes, write_number
from proxy.demo import Demo
from proxy.http.headers import Field
from tests.authorizer.conftest import build_settings
from tests.support.demo import decode
from tests.support.proxy import Running, running

pytestmark = pytest.mark.asyncio(loop_scope="module")
DENIED, OK = 2, 3


class Stream:
    """The connection of a call, and its ASGI side: hands out ``pieces``, then leaves."""

    http2 = True
    refusal = None
    client_certificate = None

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.sent: list[Any] = []
        self.trailers: Any = None

    async def receive(self) -> dict[str, Any]:
        if not self.pieces:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self.pieces.pop(0), "more_body": bool(self.pieces)}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def end(self, trailers: Any) -> None:
        self.trailers = trailers

    def on_departure(self, callback: Any) -> None:
        pass


@dataclass
class Checked:
    """``status`` of gRPC's kind and, where it is denied, of HTTP's; the fields to set, and those to take off."""

    code: int
    allowed: bool
    status: int = 200
    fields: dict[bytes, bytes] = field(default_factory=dict)
    removed: list[bytes] = field(default_factory=list)
    body: bytes = b""


def build_scope(stream: Stream, path: bytes = CHECK, content_type: bytes = b"application/grpc") -> Any:
    return {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "http_version": "1.1",
        "raw_path": path,
        "query_string": b"",
        "headers": [(b"host", b"authorizer"), (b"content-type", content_type)],
        "client": ("127.0.0.1", 5),
        "extensions": {"obo": stream},
    }


def build_http(
    *fields: Field,
    method: bytes = b"GET",
    path: bytes = b"/orders/7",
    host: bytes = b"localhost",
    scheme: bytes = b"http",
    raw: bool = False,
) -> bytes:
    """AttributeContext.HttpRequest, its headers in a map or, ``raw``, one by one."""
    pairs = [
        write_bytes(1, name) + write_bytes(3 if raw else 2, value)
        for name, value in ((b":path", path), (b"host", b"other"), *fields)
    ]
    headers = (
        write_bytes(13, b"".join(write_bytes(1, pair) for pair in pairs))
        if raw
        else b"".join(write_bytes(3, pair) for pair in pairs)
    )
    told = ((2, method), (4, path), (5, host), (6, scheme), (10, b"HTTP/2"))
    return b"".join(write_bytes(number, value) for number, value in told) + headers


def build_request(http: bytes) -> bytes:
    return write_bytes(1, write_bytes(1, b"source") + write_bytes(4, write_bytes(2, http)))


def frame(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


async def ask(proxy: Running, *pieces: bytes) -> Checked:
    """The CheckResponse to a request of these ``pieces``; the call itself succeeds."""
    stream = Stream(*pieces)
    await proxy.app.authorize(build_scope(stream), stream.receive, stream.send)
    start, body = stream.sent
    assert (start["status"], start["headers"]) == (200, [(b"content-type", b"application/grpc")])
    assert stream.trailers == [(b"grpc-status", b"0")]
    message = body["body"][5:]
    assert body["body"] == frame(message)
    code = dict(read_fields(read_one(message, 1))).get(1, 0)
    allowed = read_one(message, OK)
    part = allowed or read_one(message, DENIED)
    checked = Checked(int(code), bool(allowed))
    for option in read_bytes(part, 2):
        assert dict(read_fields(option))[3] == 2  # it overwrites
        header = read_one(option, 1)
        checked.fields[read_one(header, 1)] = read_one(header, 2)
    if allowed:
        checked.removed = list(read_bytes(part, 5))
    else:
        checked.status = int(dict(read_fields(read_one(part, 1)))[1])
        checked.body = read_one(part, 3)
    return checked


async def check(proxy: Running, *fields: Field, **told: Any) -> Checked:
    return await ask(proxy, frame(build_request(build_http(*fields, **told))))


def bearer(demo: Demo, user: str) -> Field:
    return b"authorization", f"Bearer {demo.mint(user)}".encode()


@pytest.mark.parametrize("raw", [False, True])
async def test_the_gateway_is_told_how_to_call(demo: Demo, proxy: Running, raw: bool):
    """Our token overwrites the caller's; what only a gateway may say is taken off; nothing of our own answer is set."""
    checked = await check(
        proxy, bearer(demo, "alice"), (b"X-Forwarded-User", b"root"), (b"x-request-id", b"r-1"), raw=raw
    )
    assert (checked.allowed, checked.code) == (True, 0)
    claims = decode(checked.fields[b"authorization"].decode().removeprefix("Bearer "))
    assert (claims["sub"], claims["aud"]) == ("alice", "api://orders")
    assert checked.fields.keys() == {b"authorization", b"x-request-id"}
    assert checked.fields[b"x-request-id"] == b"r-1"
    assert checked.removed == [b"x-forwarded-user"]


async def test_the_message_may_come_in_pieces(demo: Demo, proxy: Running):
    message = frame(build_request(build_http(bearer(demo, "alice"), path=b"/orders?a=b")))
    assert (await ask(proxy, message[:3], message[3:40], message[40:])).allowed


@pytest.mark.parametrize(
    ("fields", "told", "status", "code"),
    [
        ((), {}, 401, "subject_token_missing"),
        ([(b"authorization", b"Bearer a.b.c")], {}, 401, "subject_token_invalid"),
        ([(b"authorization", b"Bearer a,Bearer b")], {}, 400, "authorization_malformed"),
        ([(b"authorization", b"Bearer a")] * 2, {"raw": True}, 400, "authorization_malformed"),
        ((), {"path": b"/nowhere"}, 404, "no_route"),
        ((), {"path": b"/orders/../x"}, 400, "path_refused"),
        ((), {"path": b"*"}, 400, "bad_request"),
        ((), {"path": b""}, 400, "bad_request"),
        ((), {"method": b""}, 400, "bad_request"),
        ((), {"method": b"CONNECT"}, 405, "method_not_allowed"),
        ((), {"host": b"a b"}, 400, "bad_request"),
        ((), {"host": b""}, 400, "bad_request"),
        ((), {"scheme": b"ftp"}, 400, "bad_request"),
        ([(b"a b", b"")], {}, 400, "bad_request"),
        ([(b"a", b"\n")], {}, 400, "bad_request"),
    ],
)  # fmt: skip
async def test_what_is_refused_is_denied(proxy: Running, fields: Any, told: Any, status: int, code: str):
    """With HTTP's status, challenge and body; the call has no fault, which a gateway might let pass."""
    checked = await check(proxy, *fields, **told)
    assert (checked.allowed, checked.status, json.loads(checked.body)["code"]) == (False, status, code)
    assert checked.fields[b"content-type"] == b"application/problem+json"
    assert checked.fields[b"x-obo-code"] == code.encode()
    assert (b"www-authenticate" in checked.fields) is (status == 401 or code == "authorization_malformed")
    assert checked.code != grpc.StatusCode.OK.value[0]


HTTP = build_http()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\0\0\0",
        frame(b"\xff"),
        frame(b""),
        frame(build_request(HTTP)) + b"x",
        frame(build_request(HTTP)) * 2,
        b"\1" + frame(build_request(HTTP))[1:],
        frame(build_request(HTTP) * 2),
        frame(write_bytes(1, write_number(4, 1))),
    ],
)
async def test_what_cannot_be_read_is_denied(proxy: Running, sent: bytes):
    """Cut, compressed, two of them, twice the same field."""
    checked = await ask(proxy, sent)
    assert (checked.allowed, checked.status) == (False, 400)


async def test_there_is_an_end_to_it(proxy: Running):
    """No more is gathered than any head has."""
    checked = await ask(proxy, *[b"x" * 65536] * 100)
    assert (checked.allowed, checked.status) == (False, 413)


async def test_of_who_may_not_ask_nothing_is_read(demo: Demo):
    """It is denied whatever it says, and before it has said it."""
    raw = build_settings(demo, host="127.0.0.1", allowed_peers=["10.0.0.0/8"])
    async with running(raw) as proxy:
        stream = Stream(frame(build_request(build_http(bearer(demo, "alice")))))
        pieces = list(stream.pieces)
        await proxy.app.authorize(build_scope(stream), stream.receive, stream.send)
        assert stream.pieces == pieces
        message = stream.sent[1]["body"][5:]
        assert read_one(message, DENIED)
        assert not read_one(message, OK)


async def test_a_gateway_that_leaves_is_not_answered(proxy: Running):
    stream = Stream()
    await proxy.app.authorize(build_scope(stream), stream.receive, stream.send)
    assert not stream.sent


@pytest.mark.parametrize(
    ("path", "content_type", "http2", "expected"),
    [
        (CHECK, b"application/grpc", True, True),
        (CHECK, b"application/grpc+proto", True, True),
        (CHECK, b"application/json", True, False),
        (CHECK + b"/", b"application/grpc", True, False),
        (CHECK, b"application/grpc", False, False),
    ],
)
async def test_what_a_check_is(path: bytes, content_type: bytes, http2: bool, expected: bool):
    """Over HTTP/1.1 nobody could be given its trailers."""
    stream = Stream()
    stream.http2 = http2
    assert is_check(build_scope(stream, path, content_type)) is expected


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: HTTP + tail))
async def test_no_message_does_harm(told: bytes):
    """Whatever it says, there is a question, or a fault that is told."""
    for message in (told, build_request(told)):
        stream = Stream(frame(message))
        question, _ = await read_check(build_scope(stream), stream.receive, stream.send, lambda peer: None)
        assert question.dialect == "envoy"
        assert question.fault is not None or question.scope["raw_path"].startswith(b"/")
