"""What callers by HTTP/2 can say: trailers, ``te`` and the time that a call may take."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

import pytest

from proxy.errors import BadRequest, DeadlineExceeded
from proxy.exchange.token_exchange import AccessToken, build_access_token
from proxy.gateway.http2_gateway import Http2Gateway
from proxy.gateway.token_fields import InCookie, InHeader, InQuery, TokenFields
from proxy.gateway.upstream_request import Route
from proxy.http.forwarding import Forwarding
from proxy.http.grpc import parse_timeout
from proxy.http.headers import Field, values
from proxy.http.routes import Pattern, RouteTable
from proxy.http.withholding import CredentialNames
from tests.downstream.callers import Caller, OwnServer, build
from tests.support.compiled import interpreted

GRPC = (b"content-type", b"application/grpc")
TOKEN = b"a-token-that-is-long-enough"


class Stream(OwnServer):
    """The connection of a caller by HTTP/2."""

    http2 = True
    grpc = True
    head_size = 10_000
    target = b"/"

    def __init__(self, trailers: Iterable[Field] = ()) -> None:
        super().__init__()
        self.trailers = list(trailers)
        self.ended: list[Field] | None = None

    def respond(self, *_: Any) -> bool:
        return False

    def end(self, trailers: list[Field]) -> None:
        self.ended = trailers


class Answer:
    """An upstream's, with ``pieces`` behind its head."""

    status = 200
    http2 = False

    def __init__(self, pieces: Iterable[bytes] = (), trailers: Iterable[Field] = ()) -> None:
        self.headers: list[Field] = []
        self.pieces = list(pieces)
        self.trailers = list(trailers)
        self.closed = False

    def count_unread(self) -> None: ...

    def take(self) -> tuple[bytes, bool]:
        return b"", False

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def close(self) -> None:
        self.closed = True


class Upstream:
    """Reads the request's body, then gives ``answer``; without one it never does."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer
        self.fields: list[Field] = []
        self.trailers: list[Field] = []

    async def send(self, method: str, target: bytes, fields: Any, *, body: Any, **_: Any) -> Any:
        self.fields = list(fields)
        if body is not None:
            while await body.read():
                pass
            self.trailers = list(body.trailers)
        if self.answer is None:
            await asyncio.Event().wait()
        return self.answer


def build_gateway(
    upstream: Any,
    *,
    http2: bool = True,
    token_fields: TokenFields | None = None,
    forwarding: Forwarding | None = None,
    access_tokens: Any = None,
) -> Http2Gateway:
    route = Route(
        "calls", upstream, None, b"api", False, None, None, access_tokens, None,
        token_fields or TokenFields("http://api", None), None, None, Any, http2=http2,  # type: ignore[arg-type]
    )  # fmt: skip
    table = RouteTable([Pattern(b"/", None, frozenset(), route)])
    return Http2Gateway(table, forwarding or Forwarding())


def call(*fields: Field, stream: OwnServer | None = None, caller: Caller | None = None, **scope: Any) -> Any:
    caller = caller or Caller({"type": "http.request", "body": b"x", "more_body": False})
    fields = (*fields, (b"transfer-encoding", b"chunked"))
    return build(caller, fields, stream if stream is not None else Stream(), **scope)


async def test_trailers_go_down_as_they_came():
    """In order and byte for byte, behind the whole body; but nothing that belongs in a head."""
    trailers = [(b"grpc-status", b"0"), (b"x-bin", b"AAE"), (b"x-bin", b"\xff")]
    answer = Answer([b"one", b"two"], [*trailers, (b"set-cookie", b"a=b"), (b"connection", b"close")])
    caller, stream = Caller({"type": "http.request", "body": b"", "more_body": False}), Stream()
    await build_gateway(Upstream(answer)).forward(call(GRPC, stream=stream, caller=caller))
    assert [message["body"] for message in caller.sent[1:]] == [b"", b"one", b"two"]
    assert all(message["more_body"] for message in caller.sent[1:])
    assert stream.ended == trailers
    assert answer.closed


@pytest.mark.parametrize("place", [InQuery("http://api", "key"), InCookie("http://api", "key")])
@interpreted
async def test_an_api_that_repeats_our_token_behind_its_body(place):
    """As in its head: the caller gets to see none of it."""

    class Cached:
        def cached(self, _: object) -> AccessToken:
            return build_access_token(TOKEN.decode(), "Bearer", None, ())

    answer = Answer([b"one"], [(b"grpc-status", b"3"), (b"grpc-message", b"no /?key=" + TOKEN)])
    caller, stream = Caller({"type": "http.request", "body": b"", "more_body": False}), Stream()
    gateway = build_gateway(Upstream(answer), token_fields=place, access_tokens=Cached())
    await gateway.forward(call(stream=stream, caller=caller))
    assert stream.ended == [(b"grpc-status", b"3")]


async def test_a_response_that_is_here_whole_keeps_its_trailers():
    """It is not written at once, as others are."""

    class Whole(Answer):
        def take(self) -> tuple[bytes, bool]:
            return b"all", True

    caller, stream = Caller({"type": "http.request", "body": b"", "more_body": False}), Stream()
    await build_gateway(Upstream(Whole([], [(b"a", b"b")]))).forward(call(stream=stream, caller=caller))
    assert [message["body"] for message in caller.sent[1:]] == [b"all"]
    assert stream.ended == [(b"a", b"b")]


async def test_without_trailers_the_body_ends():
    caller, stream = Caller({"type": "http.request", "body": b"", "more_body": False}), Stream()
    await build_gateway(Upstream(Answer([b"one"]))).forward(call(stream=stream, caller=caller))
    assert caller.sent[-1]["more_body"] is False
    assert stream.ended is None


async def test_trailers_go_up_but_for_what_a_head_may_not_bring():
    """No credential, no copy of one, no identity, nothing that is ours to say."""
    stream = Stream(
        [
            (b"x-checksum", b"abc"), (b"authorization", b"Bearer b"), (b"x-forwarded-user", b"root"),
            (b"x-copy", b"see " + TOKEN), (b"X_Auth_Request".lower(), b"me"), (b"cookie", b"a=b"),
            (b"x-request-id", b"r"), (b"te", b"trailers"), (b"x-hidden", b"h"), (b"x-checksum", b"def"),
        ]
    )  # fmt: skip
    upstream = Upstream(Answer())
    forwarding = Forwarding(strip_headers=["X-Hidden"])
    request = call((b"authorization", b"Bearer " + TOKEN), stream=stream)
    await build_gateway(upstream, forwarding=forwarding).forward(request)
    assert upstream.trailers == [(b"x-checksum", b"abc"), (b"x-checksum", b"def")]


async def test_no_trailer_says_where_a_caller_is():
    """Also behind a trusted proxy: it has looked at the head alone."""
    stream = Stream([(b"x-real-ip", b"10.0.0.1"), (b"forwarded", b"for=10.0.0.1"), (b"x-other", b"1")])
    upstream = Upstream(Answer())
    forwarding = Forwarding([ip_network("127.0.0.0/8")])
    await build_gateway(upstream, forwarding=forwarding).forward(call(stream=stream))
    assert upstream.trailers == [(b"x-other", b"1")]


async def test_a_token_of_the_query_is_not_repeated_behind_the_body():
    forwarding = Forwarding(names=CredentialNames(parameters=["access_token"]))
    upstream = Upstream(Answer())
    stream = Stream([(b"x-copy", TOKEN), (b"x-other", b"1")])
    query = b"access_token=" + TOKEN
    await build_gateway(upstream, forwarding=forwarding).forward(call(stream=stream, query_string=query))
    assert upstream.trailers == [(b"x-other", b"1")]


async def test_no_trailer_stands_in_for_our_token():
    """An API that merges trailers into the header would take it for ours."""
    upstream = Upstream(Answer())
    stream = Stream([(b"x-api-token", b"mine"), (b"x_api.token", b"mine"), (b"x-other", b"1")])
    gateway = build_gateway(upstream, token_fields=InHeader("http://api", "X-Api-Token", ""))
    await gateway.forward(call(stream=stream))
    assert upstream.trailers == [(b"x-other", b"1")]


@pytest.mark.parametrize(
    ("http2", "te", "expected"),
    [(True, b"trailers", [b"trailers"]), (False, b"trailers", []), (True, b"gzip", [])],
)
async def test_te_goes_to_http2_alone(http2, te, expected):
    """RFC 9113 §8.2.2; and so do trailers."""
    upstream = Upstream(Answer())
    stream = Stream([(b"x-checksum", b"abc")])
    await build_gateway(upstream, http2=http2).forward(call((b"te", te), stream=stream))
    assert values(upstream.fields, b"te") == expected
    assert bool(upstream.trailers) is http2


async def test_callers_by_http1_are_passed_by():
    """Their ``te`` says something of another hop, and their deadline is nobody's."""

    class Http1(Stream):
        http2 = False
        grpc = False

    upstream = Upstream(Answer())
    fields = (GRPC, (b"te", b"trailers"), (b"grpc-timeout", b"0n"))
    await build_gateway(upstream).forward(call(*fields, stream=Http1([(b"a", b"b")])))
    assert values(upstream.fields, b"te") == []
    assert upstream.trailers == []


async def test_the_time_that_is_left_goes_upstream():
    upstream = Upstream(Answer())
    await build_gateway(upstream).forward(call(GRPC, (b"grpc-timeout", b"10S")))
    (told,) = values(upstream.fields, b"grpc-timeout")
    left = parse_timeout([told])
    assert left is not None
    assert 9 < left < 10


async def test_a_deadline_ends_the_call():
    """Also while its response is under way."""
    with pytest.raises(DeadlineExceeded):
        await build_gateway(Upstream()).forward(call(GRPC, (b"grpc-timeout", b"20m")))

    class Endless(Answer):
        async def read(self) -> bytes:
            await asyncio.Event().wait()
            return b""

    answer = Endless()
    request = call(GRPC, (b"grpc-timeout", b"20m"))
    with pytest.raises(DeadlineExceeded):
        await build_gateway(Upstream(answer)).forward(request)
    assert request.started
    assert answer.closed


async def test_no_call_is_made_without_time_for_it():
    """Even where nothing had to be waited for."""
    upstream = Upstream(Answer())
    with pytest.raises(DeadlineExceeded):
        await build_gateway(upstream).forward(call(GRPC, (b"grpc-timeout", b"0S")))
    assert upstream.fields == []


async def test_another_timeout_is_not_the_callers():
    """What fails below with such an error is told as it is."""

    class Failing(Upstream):
        async def send(self, *_: Any, **__: Any) -> Any:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await build_gateway(Failing()).forward(call(GRPC, (b"grpc-timeout", b"10S")))


async def test_a_malformed_timeout_is_refused():
    with pytest.raises(BadRequest):
        await build_gateway(Upstream()).forward(call(GRPC, (b"grpc-timeout", b"soon")))


@interpreted
async def test_nothing_is_left_of_a_call():
    """No request refers to itself: the garbage collector has nothing to do."""
    stream = Stream([(b"a", b"b")])
    request = call(GRPC, (b"grpc-timeout", b"10S"), stream=stream)
    gone = weakref.ref(request)
    gc.disable()
    try:
        await build_gateway(Upstream(Answer())).forward(request)
        del request
        assert gone() is None
    finally:
        gc.enable()
