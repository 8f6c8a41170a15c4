"""Requests to an authorization server and whole answers, each within one deadline.

No redirect is followed, no cookie stored, no environment read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from ..answer import Answer
from ..config.models import AuthorizationServer
from ..errors import AuthorizationServerTimeout
from .direct import Direct
from .proxied import Proxied

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

    Raises OSError (ssl.SSLError is one) where the CA file cannot be used.
    """

    def __init__(self, settings: AuthorizationServer) -> None:
        self._timeout = settings.timeout
        self._way: Way = Direct(settings) if settings.proxy_url is None else Proxied(settings)

    async def get(self, url: str) -> Answer:
        """Raises AuthorizationServerUnavailable, AuthorizationServerTimeout or ExchangeResponseInvalid."""
        return await self._send("GET", url, HEADERS, b"")

    async def post(self, url: str, headers: Mapping[str, str], form: bytes) -> Answer:
        """As ``get``, for a form."""
        return await self._send("POST", url, {**HEADERS, **FORM, **headers}, form)

    async def aclose(self) -> None:
        await self._way.aclose()

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._way.send(method, url, headers, body)
        except TimeoutError:
            raise AuthorizationServerTimeout(f"no whole answer within {self._timeout:g} s") from None
