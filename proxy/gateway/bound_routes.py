"""Tokens that are bound to a certificate of ours (RFC 8705 §3) go over connections that show this one alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import ExchangeResponseInvalid
from ..upstream import Origin, PresentedCertificate, UpstreamPool
from ..upstream.tls import MOST_REMEMBERED
from .upstream_request import Route

if TYPE_CHECKING:
    from ..upstream.websocket import WebSocketUpstream

CHECK_BINDING = (
    "Let the upstream see the certificate that authenticates us: an https upstream, with client.cert_file and"
    " client.key_file as the route's tls.cert_file and tls.key_file. Or let the authorization server bind no tokens."
)


class BoundRoutes:
    """A route once more for each certificate of ours that its upstream, at ``origin``, is shown.

    Tokens outlive the rotation of their certificate: they go on over connections of its own until they end.
    """

    def __init__(
        self, origin: Origin, connect: Callable[[Origin], tuple[UpstreamPool, WebSocketUpstream | None]]
    ) -> None:
        self._origin = origin
        self._connect = connect
        self._routes: dict[str, Route] = {}

    @property
    def upstreams(self) -> list[UpstreamPool]:
        return [route.upstream for route in self._routes.values()]

    def find_certificate(self, thumbprint: str) -> PresentedCertificate:
        """The certificate of that ``x5t#S256``. Raises ExchangeResponseInvalid where the upstream is not shown it."""
        certificate = self._origin.certificate
        presented = certificate.find(thumbprint) if certificate else None
        if presented is None:
            raise ExchangeResponseInvalid(
                "the token is bound to a certificate that the upstream is not shown", remedy=CHECK_BINDING
            )
        return presented

    async def find(self, route: Route, thumbprint: str) -> Route:
        return self._routes.get(thumbprint) or await self._add(route, self.find_certificate(thumbprint))

    async def aclose(self) -> None:
        for upstream in self.upstreams:
            await upstream.aclose()

    async def _add(self, route: Route, presented: PresentedCertificate) -> Route:
        await self._close_disused()
        if (found := self._routes.get(presented.thumbprint)) is not None:
            return found
        origin = replace(
            self._origin,
            certificate=None,
            context=presented.context,
            http2_context=presented.http2_context,
        )
        upstream, websockets = self._connect(origin)
        found = replace(route, upstream=upstream, websockets=websockets)
        self._routes[presented.thumbprint] = found
        return found

    async def _close_disused(self) -> None:
        """Rotations are without end, so those of long ago go once nobody uses them."""
        while len(self._routes) >= MOST_REMEMBERED:
            thumbprint = next((one for one, route in self._routes.items() if not route.upstream.active), None)
            if thumbprint is None:
                break
            await self._routes.pop(thumbprint).upstream.aclose()
