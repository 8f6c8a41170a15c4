"""What only callers by HTTP/2 can say: that they take trailers, what stands behind a body, and gRPC's deadlines.

For listeners that speak HTTP/2. On others nothing of this is even built, and requests by HTTP/1.1 go past it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import closing
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from ..downstream.request import Downstream
from ..errors import DeadlineExceeded
from ..http.asgi import Connection
from ..http.forwarding import Forwarding
from ..http.grpc import TIMEOUT, is_unauthenticated, parse_timeout, replace_timeout
from ..http.headers import Ended, Field, Fields
from ..http.routes import RouteTable
from ..http.trailers import filter_trailers
from ..http.withholding import withhold
from ..upstream import UpstreamResponse
from .gateway import Gateway
from .observer import Observer, Prepare
from .token_fields import TokenFields
from .upstream_request import A, Route, Transmit, UpstreamRequest

TE: Final = (b"te", b"trailers")

# Of the call that this task serves, by the loop's clock; None where its caller has set none.
_deadline: ContextVar[float | None] = ContextVar("grpc_deadline", default=None)


class Http2Gateway(Gateway):
    """A ``Gateway`` for both versions."""

    def __init__(
        self, routes: RouteTable[Route], forwarding: Forwarding, observers: Sequence[Observer] = ()
    ) -> None:
        super().__init__(routes, forwarding, observers)
        self._http2 = _WithTrailers(routes, forwarding, [*observers, _Http2Steps(forwarding)])

    def forward(self, downstream: Downstream) -> Coroutine[Any, Any, None]:
        """As ``Gateway.forward``; also raises DeadlineExceeded, before the response has begun or after."""
        if not downstream.is_http2:
            return super().forward(downstream)
        if downstream.is_grpc:
            return _forward_call(self._http2, downstream)
        return self._http2.forward(downstream)


class _WithTrailers(Gateway):
    """For callers who can be given trailers, and call by gRPC."""

    async def _call(self, request: UpstreamRequest, transmit: Transmit[A]) -> A:
        """The upstream's refusal of a token may stand behind a 200; a call with a message is never sent twice."""
        answer = await super()._call(request, transmit)
        if answer.status == 200:
            _learn(request, answer.headers)
        return answer

    def _relay(self, response: UpstreamResponse, downstream: Downstream) -> Awaitable[None] | None:
        response.count_unread()
        data, whole = response.take()
        headers = self._build_answer_fields(response)
        if whole and not response.trailers and downstream.respond(response.status, headers, data):
            return None
        return self._stream(response, headers, data, whole, downstream)

    async def _stream(
        self,
        response: UpstreamResponse,
        headers: list[Field],
        data: bytes,
        whole: bool,
        downstream: Downstream,
    ) -> None:
        with closing(response):
            await downstream.start(response.status, headers)
            await downstream.write(data, more=True)
            while not whole and (data := await response.read()):
                await downstream.write(data, more=True)
            trailers = filter_trailers(response.trailers)
            if trailers and downstream.on_trailers is not None:
                downstream.on_trailers(trailers)
            await downstream.end(trailers)


async def _forward_call(gateway: Gateway, downstream: Downstream) -> None:
    """Whatever is done for a call ends with its time, the exchange's answer and the upstream's alike."""
    seconds = parse_timeout(downstream.values(TIMEOUT))
    if seconds is None:
        await gateway.forward(downstream)
        return
    deadline = asyncio.get_running_loop().time() + seconds
    _deadline.set(deadline)
    bound = asyncio.timeout_at(deadline)
    try:
        async with bound:
            await gateway.forward(downstream)
    except TimeoutError:
        if not bound.expired():
            raise
        raise DeadlineExceeded(f"the caller gave {seconds:g} s") from None


class _Http2Steps(Observer):
    """The steps of a request that came by HTTP/2."""

    def __init__(self, forwarding: Forwarding) -> None:
        self._forwarding = forwarding

    def watch_prepare(self, prepare: Prepare) -> Prepare:
        async def prepare_http2(route: Route, rest: bytes, downstream: Downstream) -> UpstreamRequest:
            request = await prepare(route, rest, downstream)
            if route.http2:
                _pass_trailers(self._forwarding, downstream, request)
                downstream.on_trailers = partial(_take_trailers, request)
            return request

        return prepare_http2

    def watch_transmit(self, transmit: Transmit[A]) -> Transmit[A]:
        def transmit_in_time(request: UpstreamRequest, credentials: list[Field]) -> Awaitable[A]:
            deadline = _deadline.get()
            if deadline is not None:
                request.fields = replace_timeout(request.fields, _find_left(deadline))
            return transmit(request, credentials)

        return transmit_in_time


def _find_left(deadline: float) -> float:
    left = deadline - asyncio.get_running_loop().time()
    if left <= 0:
        raise DeadlineExceeded("no time was left when the API was to be called")
    return left


def _pass_trailers(forwarding: Forwarding, downstream: Downstream, request: UpstreamRequest) -> None:
    """In both directions, as far as the caller has any, and takes any (RFC 9110 §6.5.1, §10.1.4)."""
    ended, connection = downstream.ended, downstream.connection
    if b"trailers" in ended.get(b"te", ()):
        request.ours = [*request.ours, TE]
    if request.body is not None and connection is not None:
        # What it holds refers to neither the request nor its body: nothing is left for the garbage collector.
        request.body.read_trailers = partial(
            _read_trailers,
            forwarding,
            connection,
            ended,
            downstream.query_part,
            request.route.token_fields,
        )


def _learn(request: UpstreamRequest, fields: Fields) -> None:
    """Whether a token is refused stands in the head where that is all, else in the trailers."""
    access_tokens, access_token = request.route.access_tokens, request.access_token
    if access_tokens is not None and access_token is not None and is_unauthenticated(fields):
        access_tokens.reject(request.subject_token, access_token)


def _take_trailers(request: UpstreamRequest, trailers: list[Field]) -> None:
    """What the API repeats of the request goes no further behind the body than in a head."""
    _learn(request, trailers)
    if request.access_token is not None:
        request.route.token_fields.conceal(trailers, request.access_token)


def _read_trailers(
    forwarding: Forwarding,
    connection: Connection,
    ended: Ended,
    query_part: bytes,
    token_fields: TokenFields,
) -> Fields:
    """What of the caller's trailers goes on: no more than would of a stranger's header, and no credential.

    Proxies that are trusted set forwarding fields in the head, and pass on whatever stands behind the body.
    """
    if not connection.trailers:
        return ()
    kept, _ = forwarding.split("", filter_trailers(connection.trailers))
    rivals = token_fields.find_rivals(name for name, _ in kept)
    secrets = forwarding.names.find_secrets(ended, forwarding.names.split_query(query_part)[0])
    fields = [field for field in kept if field[0] not in rivals]
    return withhold(secrets, fields) if secrets else fields
