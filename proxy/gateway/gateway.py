"""The hot path: one request from its route to its relayed response.

It reads as the job reads, and decides nothing by itself: what can go wrong is raised by the step that finds it
and answered in one place (``problem``). Nothing goes upstream but by ``_send``, which has our access token or,
on a route that asks for none, no credential at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Hashable, Sequence
from contextlib import closing

from ..authentication.subject_token import SubjectToken
from ..downstream.request import Body, Downstream, parse_host
from ..downstream.websocket import DownstreamWebSocket
from ..errors import NoRoute
from ..exchange.token_exchange import AccessToken
from ..http.forwarding import Forwarding
from ..http.headers import (
    EXPECT,
    MAX_FORWARDS,
    VIA,
    Field,
    Fields,
    build_request_head,
    count_down,
    is_last_stop,
    is_preflight,
    refuse_expectation,
    refuse_loop,
    strip_handshake,
    strip_response,
)
from ..http.routes import RouteTable
from ..http.trace_context import TRACEPARENT, build_trace_fields
from ..http.withholding import (
    may_hold,
    refuse_copies,
    withhold,
    withhold_from_query,
    withhold_from_subprotocols,
)
from ..runtime import current_request_id
from ..upstream import Response
from ..upstream.websocket import UpstreamWebSocket
from .token_fields import DPOP
from .token_lifetime import cut_after
from .upstream_request import IDEMPOTENT, A, Outgoing, Route, Transmit
from .websocket_relay import relay


class Gateway:
    """Forwards requests along a table of routes."""

    def __init__(self, routes: RouteTable[Route], forwarding: Forwarding) -> None:
        self._routes = routes
        self.forwarding = forwarding

    async def forward(self, downstream: Downstream) -> None:
        """Serve one request. Raises ProxyError before the response has begun, UpstreamBroken after."""
        route, rest = self._match(downstream)
        if is_last_stop(downstream.method, downstream.ended):
            await downstream.start(204, [self.forwarding.via])
            await downstream.write(b"", more=False)
            return
        if route.preflight is not None and is_preflight(downstream.method, downstream.kept, downstream.ended):
            route = route.preflight
        outgoing = await self._prepare(route, rest, downstream)
        response = await self._call(outgoing, _send_request)
        if route.lifetime is None:
            await self._relay(response, downstream)
        else:
            await cut_after(outgoing.seconds_left, self._relay(response, downstream))

    async def forward_websocket(self, downstream: DownstreamWebSocket) -> None:
        """Serve one websocket, from its handshake to its end. Raises ProxyError before it is accepted."""
        route, rest = self._match(downstream)
        if route.websockets is None:
            raise NoRoute("the route takes no websockets")
        downstream.read_subprotocols()
        outgoing = await self._prepare(route, rest, downstream)
        upstream = await self._call(outgoing, _open_websocket)
        with closing(upstream):
            headers = strip_handshake(strip_response(upstream.headers))
            headers.append(self.forwarding.via)
            if upstream.accepted:
                await downstream.accept(upstream.subprotocol, headers)
                await relay(downstream, upstream, outgoing.seconds_left)
            else:
                await downstream.start(upstream.status, headers)
                await downstream.write(upstream.body, more=False)

    def _match(self, downstream: Downstream) -> tuple[Route, bytes]:
        routes = self._routes
        host = parse_host(downstream.host_field) if routes.by_host else b""
        route, rest = routes.match(downstream.raw_path, host, downstream.method)
        downstream.route = route.name
        current_request_id.set(downstream.request_id)
        return route, rest

    async def _prepare(self, route: Route, rest: bytes, downstream: Downstream) -> Outgoing:
        """The request as it goes upstream on behalf of its user, who is known from here on."""
        if route.guard is not None:
            route.guard.check(downstream)
        subject_token, token = None, None
        authentication = route.authentication
        if authentication is not None:
            token = authentication.take_token(downstream)
            subject_token = authentication.verifier.recall(token) or await authentication.verify(token)
            if authentication.require is not None:
                authentication.require(subject_token)
        body = downstream.body(route.max_body_bytes)
        ours = self._build_fields(route, downstream, body)
        fields, query_part, subprotocols = self._withhold(token, downstream, ours)
        target = route.target(downstream.raw_path, rest, query_part)
        return Outgoing(
            route,
            subject_token,
            self._find_user(subject_token, downstream),
            downstream.method,
            target,
            fields,
            ours,
            body,
            subprotocols,
        )

    def _withhold(
        self, token: str | None, downstream: Downstream, ours: Fields
    ) -> tuple[list[Field], bytes, Sequence[str]]:
        """The caller's fields, query part and subprotocols without any credential that it shows, on every route.

        Raises AuthorizationMalformed where one stands in what cannot be left out, or in what ``ours`` repeat.
        """
        fields, query_part, subprotocols = downstream.kept, downstream.query_part, downstream.subprotocols
        names = self.forwarding.names
        in_query: list[bytes] = []
        if names.parameters:
            in_query, query_part = names.split_query(query_part)
            fields = names.strip_referer(fields)
        known = None if token is None else token.encode("ascii")
        secrets = names.find_secrets(downstream.ended, in_query, known)
        if secrets and may_hold(secrets, (downstream.raw_path, query_part), (*fields, *ours)):
            refuse_copies(secrets, downstream.raw_path, ours)
            fields = withhold(secrets, fields)
            query_part = withhold_from_query(secrets, query_part)
        if secrets and subprotocols:
            subprotocols = withhold_from_subprotocols(secrets, subprotocols)
        return fields, query_part, subprotocols

    def _find_user(self, subject_token: SubjectToken | None, downstream: Downstream) -> Hashable:
        """In whose share of the upstream's connections a request counts; where no user is known, by its address."""
        if subject_token is None:
            return self.forwarding.find_caller(downstream.peer, downstream.ended)
        return subject_token.issuer, subject_token.subject

    def _build_fields(self, route: Route, downstream: Downstream, body: Body | None) -> list[Field]:
        """The fields that we set, without those that show the access token.

        Raises LoopDetected and ExpectationFailed for what the caller's own say.
        """
        ended, host = downstream.ended, downstream.host_field
        fields = [
            (b"host", host if route.preserve_host else route.upstream_host),
            (b"x-request-id", downstream.request_id.encode("ascii")),
            *self.forwarding.build_fields(downstream.peer, downstream.scheme, host, ended),
        ]
        if VIA in ended:
            refuse_loop(ended, self.forwarding.pseudonym)
        if EXPECT in ended:
            refuse_expectation(ended)
        if MAX_FORWARDS in ended:
            fields += count_down(downstream.method, ended)
        if TRACEPARENT in ended:
            fields += build_trace_fields(ended)
        if body is not None:
            fields.append(body.framing)
        return fields

    async def _call(self, outgoing: Outgoing, transmit: Transmit[A]) -> A:
        access_tokens, subject_token = outgoing.route.access_tokens, outgoing.subject_token
        if access_tokens is None:
            return await transmit(outgoing, [])
        cached = access_tokens.cached(subject_token)
        access_token = cached or await access_tokens.obtain(subject_token)
        answer = await self._send(outgoing, access_token, transmit)
        if answer.status != 401 or cached is None:
            return answer
        # The upstream no longer takes a token that it took before: forget it, and ask once with a new one.
        if not access_tokens.reject(subject_token, cached) or not outgoing.repeatable:
            return answer
        answer.close()
        return await self._send(outgoing, await access_tokens.obtain(subject_token), transmit)

    def _send(self, outgoing: Outgoing, access_token: AccessToken, transmit: Transmit[A]) -> Awaitable[A]:
        outgoing.access_token = access_token
        if access_token.bound:
            return self._send_bound(outgoing, access_token, transmit)
        presentation = outgoing.route.presentation
        return transmit(outgoing, presentation.build_fields(access_token, outgoing.method, outgoing.target))

    async def _send_bound(self, outgoing: Outgoing, access_token: AccessToken, transmit: Transmit[A]) -> A:
        """With what the token is bound to: the certificate of the connection (RFC 8705 §3), or a proof."""
        if access_token.certificate is not None:
            outgoing.route = await outgoing.route.bound.find(outgoing.route, access_token.certificate)
        if access_token.token_type == DPOP:
            return await self._prove(outgoing, access_token, transmit)
        presentation = outgoing.route.presentation
        return await transmit(
            outgoing, presentation.build_fields(access_token, outgoing.method, outgoing.target)
        )

    async def _prove(self, outgoing: Outgoing, access_token: AccessToken, transmit: Transmit[A]) -> A:
        """Once more where the upstream wants a nonce in the proof (RFC 9449 §9)."""
        presentation = outgoing.route.presentation
        fields = presentation.build_fields(access_token, outgoing.method, outgoing.target)
        answer = await transmit(outgoing, fields)
        if not presentation.learn(answer.status, answer.headers) or not outgoing.repeatable:
            return answer
        answer.close()
        fields = presentation.build_fields(access_token, outgoing.method, outgoing.target)
        return await transmit(outgoing, fields)

    def _build_answer_fields(self, response: Response) -> list[tuple[bytes, bytes]]:
        """The response's fields as they go to the caller."""
        fields = strip_response(response.headers)
        fields.append(self.forwarding.via)
        return fields

    async def _relay(self, response: Response, downstream: Downstream) -> None:
        data, whole = response.take()
        headers = self._build_answer_fields(response)
        if whole and downstream.respond(response.status, headers, data):
            return
        with closing(response):
            await downstream.start(response.status, headers)
            await downstream.write(data, more=not whole)
            while not whole:
                data = await response.read()
                whole = not data
                await downstream.write(data, more=not whole)


def _send_request(outgoing: Outgoing, credentials: list[tuple[bytes, bytes]]) -> Awaitable[Response]:
    fields = [*outgoing.fields, *outgoing.ours, *credentials]
    return outgoing.route.upstream.send(
        build_request_head(outgoing.method, outgoing.target, fields),
        method=outgoing.method,
        body=outgoing.body,
        idempotent=outgoing.method in IDEMPOTENT,
        user=outgoing.user,
    )


def _open_websocket(
    outgoing: Outgoing, credentials: list[tuple[bytes, bytes]]
) -> Awaitable[UpstreamWebSocket]:
    upstream = outgoing.route.websockets
    if upstream is None:
        raise NoRoute("the route takes no websockets")
    fields = [*outgoing.fields, *outgoing.ours, *credentials]
    return upstream.open(outgoing.target, fields, outgoing.subprotocols, user=outgoing.user)
