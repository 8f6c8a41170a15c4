"""Answers a gateway, or an application, with the fields by which its upstream is to be called.

A request goes the way that a proxied one goes, up to where that would be sent. What the proxy takes off a request, a
gateway passes on: a request that shows its token in a second place is refused here, for nobody could take it away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import chain
from typing import Final

from ..downstream.request import Downstream, parse_host
from ..errors import AuthorizationMalformed, CrossSiteRefused, ExchangeResponseInvalid, NoRoute
from ..exchange.token_exchange import AccessToken
from ..gateway.cross_site import CrossSiteGuard, is_this_machine
from ..gateway.gateway import Gateway
from ..gateway.upstream_request import Route, UpstreamRequest
from ..http.bearer import list_subprotocol_tokens
from ..http.forwarding import Forwarding
from ..http.headers import HOP_BY_HOP, Ended, Field, Fields, is_preflight, values
from ..http.routes import RouteTable
from ..http.withholding import refuse_copies
from ..runtime import current_request_id
from .question import Question
from .token_requests import TokenRequest, build_token_answer, require_scopes_of_route

AUTHORIZATION: Final = b"authorization"
TO_REMOVE: Final = b"x-envoy-auth-headers-to-remove"

_WEBSOCKET_KEY, _SUBPROTOCOL = b"sec-websocket-key", b"sec-websocket-protocol"
# Of what ends at the proxy: what Envoy needs, or sets itself.
_ENVOYS_OWN: Final = {name for name in HOP_BY_HOP if not name.startswith(b"proxy-")} | {
    *(AUTHORIZATION, b"content-length", b"expect", b"host", b"max-forwards", b"traceparent", b"tracestate"),
    *(b"via", b"x-forwarded-client-cert", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port"),
    *(b"x-forwarded-proto", b"x-request-id"),
}
_CLEAR_IT: Final = "Have the caller leave it out, or the gateway take it off before it asks."


class Authorizer(Gateway):
    """A ``Gateway`` that tells how to call instead of calling; ``by_name`` are the routes of ``routes``.

    Peers of other addresses than ``allowed_peers`` get no answer; None: whoever reaches the port may ask.
    ``gives_tokens`` is whether the application may ask for itself, too.
    """

    def __init__(
        self,
        routes: RouteTable[Route],
        forwarding: Forwarding,
        by_name: Mapping[str, Route],
        *,
        scopes: Mapping[str, Sequence[str]],
        allowed_peers: Sequence[IPv4Network | IPv6Network] | None,
        gives_tokens: bool,
    ) -> None:
        super().__init__(routes, forwarding)
        self._by_name = by_name
        self._scopes = scopes
        self._allowed_peers = allowed_peers
        self._gives_tokens = gives_tokens
        # A page that has its own name point to this machine could read the answer.
        self._guard = CrossSiteGuard(this_machine=True)

    async def answer(self, question: Question, downstream: Downstream) -> None:
        """Answer what is allowed; ``downstream`` is the original request. Raises ProxyError for what is not."""
        self.require_peer(downstream.peer)
        if question.fault is not None:
            raise question.fault
        if question.dialect == "health":
            await _reply(downstream, [], b"")
        elif question.token is not None:
            body = await self._give_token(question.token, downstream)
            await _reply(downstream, [(b"content-type", b"application/json")], body)
        else:
            await _reply(downstream, await self._authorize(question, downstream), b"")

    def require_peer(self, peer: str) -> None:
        """Raises NoRoute for an address that may not ask; ``peer`` is empty on a unix socket."""
        if self._allowed_peers is None:
            return
        if not peer or not any(ip_address(peer) in network for network in self._allowed_peers):
            raise NoRoute(
                "the peer is none of authorizer.allowed_peers",
                remedy="Name the network that the gateway asks from in authorizer.allowed_peers.",
            )

    async def _authorize(self, question: Question, downstream: Downstream) -> list[Field]:
        """The fields to call with."""
        route, rest = self._match(downstream)
        if route.preflight is not None and is_preflight(downstream.method, downstream.kept, downstream.ended):
            route = route.preflight
        if route.websockets is None and _WEBSOCKET_KEY in downstream.ended:
            raise NoRoute("the route takes no websockets")
        if route.guard is not None and self._gives_tokens and downstream.peer:
            _refuse_pages(question.fields, downstream)
        request = await self._prepare(route, rest, downstream)
        self._refuse_copies(downstream, question.fields)
        fields = await self._build_credentials(request)
        overwritten = {name for name, _ in fields}
        names = chain(downstream.ended, (name for name, _ in downstream.kept))
        rivals = route.token_fields.find_rivals(names) - overwritten
        if question.dialect == "envoy":
            return fields + _build_removal(downstream.ended, rivals, overwritten)
        if rivals:
            raise AuthorizationMalformed(
                "a field that would be taken for the one that our token is in", remedy=_CLEAR_IT
            )
        if AUTHORIZATION in downstream.ended and AUTHORIZATION not in overwritten:
            if not fields:
                raise AuthorizationMalformed(
                    "credentials where no token is sent: the gateway might pass them on", remedy=_CLEAR_IT
                )
            fields.append((AUTHORIZATION, b""))  # ours is in another field: this one overwrites the caller's
        return fields

    def _refuse_copies(self, downstream: Downstream, fields: Fields) -> None:
        """Raises AuthorizationMalformed where a credential stands in what the gateway will pass on."""
        ended = downstream.ended
        if list_subprotocol_tokens(ended.get(_SUBPROTOCOL, ())):
            raise AuthorizationMalformed("a token stands among the subprotocols", remedy=_CLEAR_IT)
        secrets = self.forwarding.names.find_secrets(ended)
        if secrets:
            others = [field for field in fields if field[0] != AUTHORIZATION]
            refuse_copies(secrets, downstream.raw_path + downstream.query_part, others)

    async def _build_credentials(self, request: UpstreamRequest) -> list[Field]:
        if request.route.access_tokens is None:
            return []
        access_token = await self._obtain(request)
        token_fields = request.route.token_fields
        return list(token_fields.build_fields(access_token, request.method, request.target))

    async def _obtain(self, request: UpstreamRequest, *, anew: bool = False) -> AccessToken:
        access_tokens, subject_token = request.route.access_tokens, request.subject_token
        if access_tokens is None:
            raise NoRoute("the route needs no token")
        cached = access_tokens.cached(subject_token)
        if anew and cached is not None and access_tokens.reject(subject_token, cached):
            cached = None
        access_token = cached or await access_tokens.obtain(subject_token)
        if access_token.bound:
            raise ExchangeResponseInvalid(
                "the token is bound to a key of ours, which nobody else can show",
                remedy="Let the authorization server bind no tokens of this client, or call through the proxy.",
            )
        return access_token

    async def _give_token(self, asked: TokenRequest, downstream: Downstream) -> bytes:
        route = self._by_name.get(asked.route)
        if route is None or not self._gives_tokens:
            raise NoRoute(
                "no route of that name" if self._gives_tokens else "tokens are given on loopback alone"
            )
        downstream.route = route.name
        current_request_id.set(downstream.request_id)
        if asked.for_user != (route.authentication is not None and route.guard is None):
            raise NoRoute(
                "the route needs no token of a user's"
                if asked.for_user
                else "the route needs a user's token",
                remedy="Ask for /AuthorizationHeader/ with a user's token, else /AuthorizationHeaderUnauthenticated/.",
            )
        if downstream.peer:  # no browser reaches a unix socket
            self._guard.check(downstream)
        require_scopes_of_route(asked, self._scopes[route.name])
        request = await self._prepare(route, b"", downstream)
        access_token = await self._obtain(request, anew=asked.force_refresh)
        return build_token_answer(access_token.authorization)


def _refuse_pages(fields: Fields, downstream: Downstream) -> None:
    """Raises CrossSiteRefused where the name that is asked by is neither this machine's nor the original's.

    A page that has its own name point here says what it wants of the original, but cannot hide that name.
    """
    asked = parse_host(next(iter(values(fields, b"host")), b""))
    if asked != parse_host(downstream.host_field) and not is_this_machine(asked):
        raise CrossSiteRefused(
            "the authorizer's Host is neither an address nor localhost, nor the original's",
            remedy="Let the gateway ask at 127.0.0.1 or localhost.",
        )


def _build_removal(ended: Ended, rivals: set[bytes], overwritten: set[bytes]) -> list[Field]:
    """What Envoy is to take off a request: all that the proxy would, and credentials that nothing overwrites.

    Envoy does so after it has set what is ``overwritten``, of which nothing may go.
    """
    names = (ended.keys() - _ENVOYS_OWN) | rivals
    if AUTHORIZATION in ended:
        names |= {AUTHORIZATION}
    names = {name for name in names - overwritten if not name.startswith(b"sec-websocket-")}
    return [(TO_REMOVE, b",".join(sorted(names)))] if names else []


async def _reply(downstream: Downstream, fields: list[Field], body: bytes) -> None:
    headers = [
        *fields,
        (b"x-request-id", downstream.request_id.encode("ascii")),
        (b"cache-control", b"no-store"),
        (b"content-length", b"%d" % len(body)),
    ]
    if not downstream.respond(200, headers, body):
        await downstream.start(200, headers)
        await downstream.write(body, more=False)
