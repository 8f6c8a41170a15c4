"""Requests to an authorization server and whole answers, each within a deadline of its caller's or its own.

No redirect is followed, no cookie stored, no environment read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol

from ...config.models import AuthorizationServer
from ...errors import AuthorizationServerTimeout
from ...runtime import Background, Deadline
from ...upstream import PresentedCertificate
from ..answer import Answer
from .direct import Direct

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "obo-proxy"}
FORM = {**HEADERS, "Content-Type": "application/x-www-form-urlencoded"}


class Transport(Protocol):
    """How requests get there: over connections of our own, or through a forward proxy."""

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
        self._transport = _build_transport(settings)
        self._certified: tuple[PresentedCertificate, Transport] | None = None
        self._background = Background()

    async def get(self, url: str) -> Answer:
        """Raises AuthorizationServerUnavailable, AuthorizationServerTimeout or ExchangeResponseInvalid."""
        return await self._within(self._transport.send("GET", url, HEADERS, b""))

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        form: bytes,
        *,
        certificate: PresentedCertificate | None = None,
    ) -> Answer:
        """As ``get``, for a form, on a connection on which ``certificate`` is shown."""
        return await self._within(self.submit(url, headers, form, certificate=certificate))

    def submit(
        self,
        url: str,
        headers: Mapping[str, str],
        form: bytes,
        *,
        certificate: PresentedCertificate | None = None,
    ) -> Awaitable[Answer]:
        """As ``post``, for callers with a deadline of their own: this has none."""
        transport = self._transport if certificate is None else self._find_certified_transport(certificate)
        return transport.send("POST", url, {**FORM, **headers}, form)

    def prepare_authorities(self) -> Callable[[], None]:
        """Read the CA file again; requests from the result's call on go by it. Raises OSError."""
        if self._settings.ca_file is None:
            return lambda: None
        return partial(self._go_by, _build_transport(self._settings))

    async def aclose(self) -> None:
        await self._background.aclose()
        await self._transport.aclose()
        if self._certified is not None:
            await self._certified[1].aclose()

    def _find_certified_transport(self, certificate: PresentedCertificate) -> Transport:
        """The connections that show ``certificate``; after a rotation new ones, and the old ones end."""
        before = self._certified
        if before is None or before[0] is not certificate:
            self._certified = (certificate, _build_transport(self._settings, certificate))
            if before is not None:
                self._background.spawn(self._close_unused(before[1]), name="outbound")
            return self._certified[1]
        return before[1]

    def _go_by(self, transport: Transport) -> None:
        before, self._transport = self._transport, transport
        self._background.spawn(self._close_unused(before), name="outbound")

    async def _close_unused(self, transport: Transport) -> None:
        try:
            await asyncio.sleep(self._timeout)  # the requests that it carries now do not last longer
        finally:
            await transport.aclose()

    async def _within(self, request: Awaitable[Answer]) -> Answer:
        try:
            with Deadline(self._timeout):
                return await request
        except TimeoutError:
            raise AuthorizationServerTimeout(f"no whole answer within {self._timeout:g} s") from None


def _build_transport(
    settings: AuthorizationServer, certificate: PresentedCertificate | None = None
) -> Transport:
    context = certificate.context if certificate else None
    if settings.proxy_url is None:
        return Direct(settings, context)
    from .proxied import Proxied  # noqa: PLC0415  httpx takes 6 MiB, and few need a proxy to get there

    return Proxied(settings, context)
