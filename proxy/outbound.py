"""HTTP to an authorization server: bounded in time and size, and nothing kept between two requests.

No redirect is followed, no cookie stored, no environment read. Every request has a connection of its own: the
library's pool would hand what one answer left unread to the next request, which here is another user's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from .answer import Answer, show
from .config.models import AuthorizationServer
from .errors import AuthorizationServerTimeout, AuthorizationServerUnavailable, ExchangeResponseInvalid

MAX_ANSWER = 1024 * 1024  # bytes
MAX_CONNECT = 2.0  # s: where a packet is lost, a second try within the budget beats a longer wait
RETRY_AFTER = 2.0  # s, told to callers
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "obo-proxy",
}


class Outbound:
    """Requests to one authorization server, by its settings."""

    def __init__(self, settings: AuthorizationServer) -> None:
        self._timeout = settings.timeout
        self._client = httpx.AsyncClient(
            headers=HEADERS,
            verify=ssl.create_default_context(cafile=settings.ca_file),
            proxy=settings.proxy_url,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=httpx.Timeout(settings.timeout, connect=min(settings.timeout, MAX_CONNECT)),
            # Without a bound here nobody waits in the pool, where a cancelled waiter would lose a slot.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
        )

    async def get(self, url: str) -> Answer:
        """Raises AuthorizationServerUnavailable, AuthorizationServerTimeout or ExchangeResponseInvalid."""
        return await self._request("GET", url, {}, None)

    async def post(self, url: str, headers: Mapping[str, str], form: bytes) -> Answer:
        """As ``get``, for a form."""
        fields = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        return await self._request("POST", url, fields, form)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._send(method, url, headers, body)
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout):
            raise AuthorizationServerTimeout(f"no whole answer within {self._timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise AuthorizationServerUnavailable(
                f"the authorization server cannot be reached: {_describe(error)}", retry_after=RETRY_AFTER
            ) from None

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        request = self._client.build_request(method, url, headers=headers, content=body)
        response = await self._client.send(request, stream=True)
        try:
            answer = Answer(response.status_code, _headers(response), await _read(response))
        finally:
            await response.aclose()
        return answer


async def _read(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ExchangeResponseInvalid("the answer is encoded though that was declined")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > MAX_ANSWER:
            raise ExchangeResponseInvalid(f"the answer is larger than {MAX_ANSWER} bytes")
    return bytes(body)


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _describe(error: BaseException) -> str:
    """The text of a foreign exception may quote what was sent, unless nothing was sent yet."""
    name = type(error).__name__
    return f"{name}: {show(str(error))}" if isinstance(error, httpx.ConnectError) else name
