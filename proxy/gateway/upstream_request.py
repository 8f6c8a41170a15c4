"""A request on its way: the API that it goes to, what that takes, and what it will be sent with.

Values and ports alone; what is done with them stands in ``gateway``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from ..authentication.subject_token import SubjectToken
from ..authentication.verifier import Verifier
from ..cache.access_tokens import AccessTokens
from ..downstream.request import Body, Downstream
from ..exchange.token_exchange import AccessToken
from ..http.bearer import check_token
from ..http.headers import Field, Fields
from ..upstream import PresentedCertificate, UpstreamPool
from .cross_site import CrossSiteGuard
from .possession import Possession
from .token_fields import TokenFields
from .token_lifetime import Lifetime

if TYPE_CHECKING:
    from ..upstream.websocket import WebSocketUpstream

# RFC 9110 §9.2.2: what may be sent again when nobody can tell whether it arrived.
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


# The user's token with what of the request goes along: who acts, and in which context. Raises as the verifier does.
Join = Callable[[SubjectToken, Downstream], Awaitable[SubjectToken]]


@dataclass(frozen=True)
class Authentication:
    """Whose user a route takes: where the token stands, who verifies it, what the route asks of it.

    ``take_token`` gives the token as it was found. ``require`` is None where a route asks for no more than an
    accepted token; ``join``, which is looked at only beside it, where nothing of the request goes along;
    ``possession`` where none of the accepted tokens is bound to anything.
    """

    take_token: Callable[[Downstream], str]
    verifier: Verifier
    require: Callable[[SubjectToken], None] | None
    join: Join | None = None
    possession: Possession | None = None

    def verify(self, token: str) -> Awaitable[SubjectToken]:
        """The verified token, whatever it is that was found. Raises AuthorizationMalformed, SubjectTokenError.

        Where it is bound to a key, its ``possession`` is still to be required.
        """
        check_token(token)
        return self.verifier.verify(token, bound=self.possession is not None)


class ByCertificate(Protocol):
    """A route as it is for tokens that are bound to a certificate of ours."""

    @property
    def upstreams(self) -> list[UpstreamPool]:
        """Those that are in use now."""
        ...

    def find_certificate(self, thumbprint: str) -> PresentedCertificate:
        """Raises ExchangeResponseInvalid where the upstream is not shown it."""
        ...

    async def find(self, route: Route, thumbprint: str) -> Route:
        """``route`` over connections on which that certificate is shown. Raises ExchangeResponseInvalid."""
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True)
class Route:
    """One API and everything it takes to call it.

    Without ``authentication`` no user is needed; without ``access_tokens`` no token is sent. ``guard`` is None
    unless a token is sent for whoever asks. ``websockets`` is None where the route takes none; ``lifetime`` where
    nothing ends with its token. ``bound`` finds the route that a request takes whose token is bound to a
    certificate, ``preflight`` is the one that a CORS preflight takes instead, where it may pass without a token.
    ``http2`` is whether its upstream speaks HTTP/2.
    """

    name: str
    upstream: UpstreamPool
    websockets: WebSocketUpstream | None
    upstream_host: bytes
    preserve_host: bool
    path_rewrite: bytes | None
    authentication: Authentication | None
    access_tokens: AccessTokens | None
    guard: CrossSiteGuard | None
    token_fields: TokenFields
    max_body_bytes: int | None
    lifetime: Lifetime | None
    bound: ByCertificate
    preflight: Route | None = None
    http2: bool = False

    def target(self, raw_path: bytes, rest: bytes, query_part: bytes) -> bytes:
        """The request target to send: the path as received, or with its prefix replaced.

        What replaces never makes a ``//`` at its beginning, which redirects would take for a host (RFC 3986 §4.2).
        """
        if self.path_rewrite is None:
            return raw_path + query_part
        return (self.path_rewrite or b"/") + (rest if self.path_rewrite else rest.lstrip(b"/")) + query_part


class UpstreamRequest:
    """A request as it goes upstream; ``access_token`` is the one it was last sent with.

    ``user`` is in whose share of the upstream's connections it counts. One is made for each request: what a data class
    is made by would not be compiled.
    """

    access_token: AccessToken | None = None

    def __init__(  # noqa: PLR0913, PLR0917  what there is to say
        self,
        route: Route,
        subject_token: SubjectToken | None,
        user: Hashable,
        method: str,
        target: bytes,
        fields: Fields,
        ours: Fields,
        body: Body | None,
        subprotocols: Sequence[str],
    ) -> None:
        self.route = route
        self.subject_token = subject_token
        self.user = user
        self.method = method
        self.target = target
        self.fields = fields
        self.ours = ours
        self.body = body
        self.subprotocols = subprotocols

    @property
    def repeatable(self) -> bool:
        return self.body is None and self.method in IDEMPOTENT

    @property
    def seconds_left(self) -> float | None:
        """Until the token it was sent with ends; None where that ends nothing."""
        lifetime = self.route.lifetime
        return None if lifetime is None else lifetime.left(self.access_token, self.subject_token)


class Answer(Protocol):
    """What an upstream says to a request."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> list[Field]: ...

    def close(self) -> None:
        """Be done with it."""
        ...


A = TypeVar("A", bound=Answer)
# Sends a request with the fields that show its token; the answer has a head at least.
Transmit = Callable[[UpstreamRequest, list[Field]], Awaitable[A]]
