"""Requests to an authorization server and whole answers, each within one deadline.

No redirect is followed, no cookie stored, no environment read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from ...config.models import AuthorizationServer
from ...errors import AuthorizationServerTimeout
from ...runtime import Background
from ...upstream import PresentedCertificate
from ..answer import Answer
from .direct import Direct

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "obo-proxy"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Way(Protocol):
    """How requests get there."""

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Raises AuthorizationServerUnavailable or ExchangeResponseInvalid. May be cancelled at any time."""
        ...

    async def aclose(self) -> None: ...


class Outbound:
    """Requests to one authorization server, by its settings.

    Those that show a certificate have connections of their own. Raises OSError (ssl.SSLError is one) where the CA
    file cannot be used.
    """

    def __init__(self, settings: AuthorizationServer) -> None:
        self._settings = settings
        self._timeout = settings.timeout
        self._way = _build_way(settings)
        self._certified: tuple[PresentedCertificate, Way] | None = None
        self._background = Background()

    async def get(self, url: str) -> Answer:
        """Raises AuthorizationServerUnavailable, AuthorizationServerTimeout or ExchangeResponseInvalid."""
        return await self._send(self._way, "GET", url, HEADERS, b"")

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        form: bytes,
        *,
        certificate: PresentedCertificate | None = None,
    ) -> Answer:
        """As ``get``, for a form, on a connection on which ``certificate`` is shown."""
        way = self._way if certificate is None else self._find_certified_way(certificate)
        return await self._send(way, "POST", url, {**HEADERS, **FORM, **headers}, form)

    def prepare_authorities(self) -> Callable[[], None]:
        """Read the CA file again; requests from the result's call on go by it. Raises OSError."""
        if self._settings.ca_file is None:
            return lambda: None
        return partial(self._go_by, _build_way(self._settings))

    async def aclose(self) -> None:
        await self._background.aclose()
        await self._way.aclose()
        if self._certified is not None:
            await self._certified[1].aclose()

    def _find_certified_way(self, certificate: PresentedCertificate) -> Way:
        """The connections that show ``certificate``; after a rotation new ones, and the old ones end."""
        before = self._certified
        if before is None or before[0] is not certificate:
            self._certified = (certificate, _build_way(self._settings, certificate))
            if before is not None:
                self._background.spawn(self._close_unused(before[1]), name="outbound")
            return self._certified[1]
        return before[1]

    def _go_by(self, way: Way) -> None:
        before, self._way = self._way, way
        self._background.spawn(self._close_unused(before), name="outbound")

    async def _close_unused(self, way: Way) -> None:
        try:
            await asyncio.sleep(self._timeout)  # the requests that it carries now do not last longer
        finally:
            await way.aclose()

    async def _send(self, way: Way, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            async with asyncio.timeout(self._timeout):
                return await way.send(method, url, headers, body)
        except TimeoutError:
            raise AuthorizationServerTimeout(f"no whole answer within {self._timeout:g} s") from None


def _build_way(settings: AuthorizationServer, certificate: PresentedCertificate | None = None) -> Way:
    context = certificate.context if certificate else None
    if settings.proxy_url is None:
        return Direct(settings, context)
    from .proxied import Proxied  # noqa: PLC0415  httpx takes 6 MiB, and few need a proxy to get there

    return Proxied(settings, context)
