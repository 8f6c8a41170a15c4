"""Through a forward proxy, as httpx speaks to one.

Every request has a connection of its own: the library's pool would hand what one answer left unread to the
next request, which here is another user's.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from ...config.models import AuthorizationServer
from ..answer import Answer, show
from .bounds import MAX_CONNECT, check_alert, check_encoding, check_size, unreachable


class Proxied:
    """By way of ``settings.proxy_url``; ``context`` shows a certificate of ours to the server behind."""

    def __init__(self, settings: AuthorizationServer, context: ssl.SSLContext | None = None) -> None:
        self._shows_certificate = context is not None
        self._client = httpx.AsyncClient(
            headers={"Connection": "close"},
            verify=context or ssl.create_default_context(cafile=settings.ca_file),
            proxy=settings.proxy_url,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=httpx.Timeout(None, connect=min(settings.timeout, MAX_CONNECT)),
            # Without a bound here nobody waits in the pool, where a cancelled waiter would lose a slot.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Raises AuthorizationServerUnavailable or ExchangeResponseInvalid."""
        try:
            return await self._send(method, url, headers, body)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            if self._shows_certificate:
                check_alert(error)
            raise unreachable(_describe(error)) from None

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        request = self._client.build_request(method, url, headers=headers, content=body or None)
        response = await self._client.send(request, stream=True)
        try:
            return Answer(response.status_code, _headers(response), await _read(response))
        finally:
            await response.aclose()


async def _read(response: httpx.Response) -> bytes:
    check_encoding(response.headers.get("content-encoding", "identity"))
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        check_size(len(body))
    return bytes(body)


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _describe(error: BaseException) -> str:
    """The text of a foreign exception may quote what was sent, unless nothing was sent yet."""
    name = type(error).__name__
    return f"{name}: {show(str(error))}" if isinstance(error, httpx.ConnectError) else name
