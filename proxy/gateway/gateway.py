"""The hot path: one request from its route to its relayed response.

It reads as the job reads, and decides nothing by itself: what can go wrong is raised by the step that finds it
and answered in one place (``refusals``). Nothing goes upstream but by ``_call``: with our access token or, on a
route that asks for none, with no credential at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Hashable, Iterable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final

from ..authentication.subject_token import SubjectToken
from ..downstream.request import Downstream, parse_host
from ..downstream.websocket import DownstreamWebSocket
from ..errors import NoRoute
from ..exchange.token_exchange import AccessToken
from ..http.forwarding import Forwarding
from ..http.headers import (
    Field,
    is_last_stop,
    is_preflight,
    strip_handshake,
    strip_response,
)
from ..http.routes import RouteTable
from ..runtime import current_request_id
from ..upstream import UpstreamResponse
from .observer import BuildAnswerFields, Observer, Prepare
from .request_fields import build_own_fields, withhold_credentials
from .token_fields import DPOP
from .upstream_request import IDEMPOTENT, A, Route, Transmit, UpstreamRequest
from .websocket_relay import relay as relay_websocket

if TYPE_CHECKING:
    from ..upstream.websocket import UpstreamWebSocket

_note_request_id: Final = current_request_id.set  # by a name that is looked up once, where it is compiled


class Gateway:
    """Forwards requests along a table of routes."""

    def __init__(
        self, routes: RouteTable[Route], forwarding: Forwarding, observers: Iterable[Observer] = ()
    ) -> None:
        self._routes = routes
        self.forwarding = forwarding
        self._prepare: Prepare = partial(_prepare_request, forwarding)
        self._send_request: Transmit[UpstreamResponse] = _send_request
        self._open_websocket: Transmit[UpstreamWebSocket] = _open_websocket
        build = _build_answer_fields_by_version if any(one.http2 for one in routes) else _build_answer_fields
        self._build_answer_fields: BuildAnswerFields = partial(build, forwarding)
        for observer in observers:
            self._prepare = observer.watch_prepare(self._prepare)
            self._send_request = observer.watch_transmit(self._send_request)
            self._open_websocket = observer.watch_transmit(self._open_websocket)
            self._build_answer_fields = observer.watch_answer(self._build_answer_fields)

    async def forward(self, downstream: Downstream) -> None:
        """Serve one request. Raises ProxyError before the response has begun, UpstreamBroken after."""
        route, rest = self._match(downstream)
        if is_last_stop(downstream.method, downstream.ended):
            await downstream.start(204, [self.forwarding.via])
            await downstream.write(b"", more=False)
            return
        if route.preflight is not None and is_preflight(downstream.method, downstream.kept, downstream.ended):
            route = route.preflight
        request = await self._prepare(route, rest, downstream)
        response = await self._call(request, self._send_request)
        relay = self._relay(response, downstream)
        if relay is None:
            return
        if route.lifetime is None:
            await relay
        else:
            await route.lifetime.cut_after(request.seconds_left, request.subject_token, relay)

    async def forward_websocket(self, downstream: DownstreamWebSocket) -> None:
        """Serve one websocket, from its handshake to its end. Raises ProxyError before it is accepted."""
        route, rest = self._match(downstream)
        if route.websockets is None:
            raise NoRoute("the route takes no websockets")
        downstream.read_subprotocols()
        request = await self._prepare(route, rest, downstream)
        upstream = await self._call(request, self._open_websocket)
        with closing(upstream):
            headers = strip_handshake(strip_response(upstream.headers))
            headers.append(self.forwarding.via)
            if upstream.accepted:
                await downstream.accept(upstream.subprotocol, headers)
                if route.lifetime is None:
                    await relay_websocket(downstream, upstream)
                else:
                    with route.lifetime.until_revoked(request.subject_token) as revoked:
                        await relay_websocket(downstream, upstream, request.seconds_left, revoked)
            else:
                await downstream.start(upstream.status, headers)
                await downstream.write(upstream.body, more=False)

    def _match(self, downstream: Downstream) -> tuple[Route, bytes]:
        routes = self._routes
        host = parse_host(downstream.host_field) if routes.by_host else b""
        route, rest = routes.match(downstream.raw_path, host, downstream.method)
        downstream.route = route.name
        _note_request_id(downstream.request_id)
        return route, rest

    async def _call(self, request: UpstreamRequest, transmit: Transmit[A]) -> A:
        access_tokens, subject_token = request.route.access_tokens, request.subject_token
        if access_tokens is None:
            return await request.route.token_fields.send_bare(request, transmit)
        cached = access_tokens.cached(subject_token)
        access_token = cached or await access_tokens.obtain(subject_token)
        answer = await self._send(request, access_token, transmit)
        if answer.status != 401 or cached is None:
            return answer
        # The upstream no longer takes a token that it took before: forget it, and ask once with a new one.
        if not access_tokens.reject(subject_token, cached) or not request.repeatable:
            return answer
        answer.close()
        return await self._send(request, await access_tokens.obtain(subject_token), transmit)

    def _send(
        self, request: UpstreamRequest, access_token: AccessToken, transmit: Transmit[A]
    ) -> Awaitable[A]:
        request.access_token = access_token
        if access_token.bound:
            return self._send_bound(request, access_token, transmit)
        return request.route.token_fields.send(request, access_token, transmit)

    async def _send_bound(
        self, request: UpstreamRequest, access_token: AccessToken, transmit: Transmit[A]
    ) -> A:
        """With what the token is bound to: the certificate of the connection (RFC 8705 §3), or a proof."""
        if access_token.certificate is not None:
            request.route = await request.route.bound.find(request.route, access_token.certificate)
        if access_token.token_type == DPOP:
            return await self._prove(request, access_token, transmit)
        return await request.route.token_fields.send(request, access_token, transmit)

    async def _prove(self, request: UpstreamRequest, access_token: AccessToken, transmit: Transmit[A]) -> A:
        """Once more where the upstream wants a nonce in the proof (RFC 9449 §9)."""
        token_fields = request.route.token_fields
        fields = token_fields.build_fields(access_token, request.method, request.target)
        answer = await transmit(request, fields)
        if not token_fields.learn(answer.status, answer.headers) or not request.repeatable:
            return answer
        answer.close()
        fields = token_fields.build_fields(access_token, request.method, request.target)
        return await transmit(request, fields)

    def _relay(self, response: UpstreamResponse, downstream: Downstream) -> Awaitable[None] | None:
        """The answer at once, and None, where all of it is there and nobody has to be waited for; else its relay."""
        data, whole = response.take()
        headers = self._build_answer_fields(response)
        if whole and downstream.respond(response.status, headers, data):
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
        """From ``data`` on, behind which nothing is left where it is ``whole``."""
        with closing(response):
            await downstream.start(response.status, headers)
            await downstream.write(data, more=not whole)
            while not whole:
                data = await response.read()
                whole = not data
                await downstream.write(data, more=not whole)


async def _prepare_request(
    forwarding: Forwarding, route: Route, rest: bytes, downstream: Downstream
) -> UpstreamRequest:
    """The request as it goes upstream on behalf of its user, who is known from here on."""
    if route.guard is not None:
        route.guard.check(downstream)
    subject_token, token = None, None
    authentication = route.authentication
    if authentication is not None:
        token = authentication.take_token(downstream)
        possession = authentication.possession
        subject_token = authentication.verifier.recall(
            token, bound=possession is not None
        ) or await authentication.verify(token)
        if possession is not None:
            await possession.require(subject_token, downstream)
            if subject_token.binding is not None:
                authentication.verifier.require_unrevoked(subject_token)
        if authentication.require is not None:
            authentication.require(subject_token)
            if authentication.join is not None:
                subject_token = await authentication.join(subject_token, downstream)
    body = downstream.body(route.max_body_bytes)
    ours = build_own_fields(route, forwarding, downstream, body)
    fields, query_part, subprotocols = withhold_credentials(forwarding.names, token, downstream, ours)
    target = route.target(downstream.raw_path, rest, query_part)
    return UpstreamRequest(
        route,
        subject_token,
        _find_user(forwarding, subject_token, downstream),
        downstream.method,
        target,
        fields,
        ours,
        body,
        subprotocols,
    )


def _find_user(
    forwarding: Forwarding, subject_token: SubjectToken | None, downstream: Downstream
) -> Hashable:
    """In whose share of the upstream's connections a request counts; where no user is known, by its address."""
    if subject_token is None:
        return forwarding.find_caller(downstream.peer, downstream.ended)
    return subject_token.issuer, subject_token.subject


def _build_answer_fields(forwarding: Forwarding, response: UpstreamResponse) -> list[Field]:
    """The response's fields as they go to the caller."""
    return [*response.headers, forwarding.via]


def _build_answer_fields_by_version(forwarding: Forwarding, response: UpstreamResponse) -> list[Field]:
    """As above, where some upstream speaks HTTP/2."""
    return [*response.headers, forwarding.via_http2 if response.http2 else forwarding.via]


def _send_request(request: UpstreamRequest, credentials: list[Field]) -> Awaitable[UpstreamResponse]:
    return request.route.upstream.send(
        request.method,
        request.target,
        [*request.fields, *request.ours, *credentials],
        body=request.body,
        idempotent=request.method in IDEMPOTENT,
        user=request.user,
    )


def _open_websocket(request: UpstreamRequest, credentials: list[Field]) -> Awaitable[UpstreamWebSocket]:
    upstream = request.route.websockets
    if upstream is None:
        raise NoRoute("the route takes no websockets")
    fields = [*request.fields, *request.ours, *credentials]
    return upstream.open(request.target, fields, request.subprotocols, user=request.user)
