"""The hot path: one request from its route to its relayed response.

It reads as the job reads, and decides nothing by itself: what can go wrong is raised by the step that finds it
and answered in one place (``problem``). Nothing goes upstream but by ``_send``, which has our access token or,
on a route that asks for none, no credential at all.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from .access_tokens import AccessTokens
from .credentials import withhold
from .downstream import Body, Downstream, parse_host
from .forwarding import Forwarding
from .headers import build_request_head, is_preflight, refuse_expectation, refuse_loop, strip_response
from .logs import current_request_id
from .presentation import Presentation
from .routes import RouteTable
from .subject_token import SubjectToken
from .token_exchange import AccessToken
from .upstream import Response, Upstream
from .verification import Verifier

# RFC 9110 §9.2.2: what may be sent again when nobody can tell whether it arrived.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Authentication:
    """Whose user a route takes: where the token stands, who verifies it, what the route asks of it.

    ``take_token`` gives the token and the query part to send on without it. ``require`` is None where a route asks
    for no more than an accepted token.
    """

    take_token: Callable[[Downstream], tuple[str, bytes]]
    verifier: Verifier
    require: Callable[[SubjectToken], None] | None


@dataclass(frozen=True, slots=True)
class Route:
    """One API and everything it takes to call it.

    Without ``authentication`` no user is needed; without ``access_tokens`` no token is sent. ``preflight`` is the
    route that a CORS preflight takes instead, where it may pass without a token.
    """

    name: str
    upstream: Upstream
    upstream_host: bytes
    preserve_host: bool
    path_rewrite: bytes | None
    authentication: Authentication | None
    access_tokens: AccessTokens | None
    presentation: Presentation
    max_body_bytes: int | None
    preflight: Route | None = None

    def target(self, raw_path: bytes, rest: bytes, query_part: bytes) -> bytes:
        """The request target to send: the path as received, or with its prefix replaced."""
        path = raw_path if self.path_rewrite is None else self.path_rewrite + rest or b"/"
        return path + query_part


@dataclass(slots=True)
class Outgoing:
    """A request as it goes upstream, but for the access token."""

    method: str
    target: bytes
    fields: list[tuple[bytes, bytes]]
    ours: list[tuple[bytes, bytes]]
    body: Body | None

    @property
    def repeatable(self) -> bool:
        return self.body is None and self.method in _IDEMPOTENT


class Gateway:
    """Forwards requests along a table of routes."""

    def __init__(self, routes: RouteTable[Route], forwarding: Forwarding) -> None:
        self._routes = routes
        self._forwarding = forwarding

    async def forward(self, downstream: Downstream) -> None:
        """Serve one request. Raises ProxyError before the response has begun, UpstreamBroken after."""
        route, rest = self._routes.match(
            downstream.raw_path, parse_host(downstream.host_field), downstream.method
        )
        if route.preflight is not None and is_preflight(downstream.method, downstream.headers):
            route = route.preflight
        downstream.route = route.name
        current_request_id.set(downstream.request_id)
        subject_token, query_part = await self._authenticate(route, downstream)
        outgoing = self._build(route, downstream, route.target(downstream.raw_path, rest, query_part))
        if subject_token is not None:
            outgoing.fields = withhold(subject_token.value, outgoing.fields)
        response = await self._call(route, subject_token, outgoing)
        with closing(response):
            await self._relay(response, downstream)

    async def _authenticate(self, route: Route, downstream: Downstream) -> tuple[SubjectToken | None, bytes]:
        authentication = route.authentication
        if authentication is None:
            return None, downstream.query_part
        token, query_part = authentication.take_token(downstream)
        verifier = authentication.verifier
        subject_token = verifier.recall(token) or await verifier.verify(token)
        if authentication.require is not None:
            authentication.require(subject_token)
        return subject_token, query_part

    def _build(self, route: Route, downstream: Downstream, target: bytes) -> Outgoing:
        fields = downstream.headers
        refuse_loop(fields, self._forwarding.pseudonym)
        refuse_expectation(fields)
        body = downstream.body(route.max_body_bytes)
        host = downstream.host_field
        peer = downstream.peer
        ours = [
            (b"host", host if route.preserve_host else route.upstream_host),
            (b"x-request-id", downstream.request_id.encode("ascii")),
            *self._forwarding.build_fields(peer, downstream.scope["scheme"], host, fields),
        ]
        if body is not None:
            ours.append(body.framing)
        return Outgoing(downstream.method, target, self._forwarding.strip(peer, fields), ours, body)

    async def _call(self, route: Route, subject_token: SubjectToken | None, outgoing: Outgoing) -> Response:
        access_tokens = route.access_tokens
        if access_tokens is None:
            return await self._send(route, outgoing, None)
        cached = access_tokens.cached(subject_token)
        access_token = cached or await access_tokens.obtain(subject_token)
        response = await self._send(route, outgoing, access_token)
        if response.status != 401 or cached is None:
            return response
        # The upstream no longer takes a token that it took before: forget it, and ask once with a new one.
        if not access_tokens.reject(subject_token, cached) or not outgoing.repeatable:
            return response
        response.close()
        return await self._send(route, outgoing, await access_tokens.obtain(subject_token))

    async def _send(self, route: Route, outgoing: Outgoing, access_token: AccessToken | None) -> Response:
        if access_token is None:
            return await self._transmit(route, outgoing, [])
        presentation = route.presentation
        fields = presentation.build_fields(access_token, outgoing.method, outgoing.target)
        response = await self._transmit(route, outgoing, fields)
        if not presentation.learn(access_token, response.status, response.headers) or not outgoing.repeatable:
            return response
        response.close()
        fields = presentation.build_fields(access_token, outgoing.method, outgoing.target)
        return await self._transmit(route, outgoing, fields)

    async def _transmit(
        self, route: Route, outgoing: Outgoing, credentials: list[tuple[bytes, bytes]]
    ) -> Response:
        return await route.upstream.send(
            build_request_head(
                outgoing.method, outgoing.target, outgoing.fields, outgoing.ours + credentials
            ),
            method=outgoing.method.encode("ascii"),
            body=outgoing.body,
            idempotent=outgoing.method in _IDEMPOTENT,
        )

    async def _relay(self, response: Response, downstream: Downstream) -> None:
        data, whole = response.take()
        headers = strip_response(response.headers)
        headers.append(self._forwarding.via)
        await downstream.start(response.status, headers)
        await downstream.write(data, more=not whole)
        while not whole:
            data = await response.read()
            whole = not data
            await downstream.write(data, more=not whole)
