"""Where an authorization server's endpoints are, and what its signing keys are: the fetching (RFC 8414)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from ..authentication.signing_keys import FetchedKeys
from ..config.models import AuthorizationServer
from ..errors import AuthorizationServerUnavailable, ExchangeMisconfigured
from ..runtime import Background, Clock
from .metadata import Metadata, build_metadata_urls, parse_metadata
from .okta_refusals import CHECK_URL
from .transport import RETRY_AFTER, Outbound

METADATA_AGE = 3600.0  # s after which the metadata is looked at again, off the request path

_MAX_AGE = re.compile(r"(?:^|,)\s*max-age=(\d{1,9})\s*(?:,|$)", re.IGNORECASE)
_NO_CACHE = re.compile(r"(?:^|,)\s*no-(?:store|cache)\b", re.IGNORECASE)


class Discovery:
    """Finds endpoints: what the configuration names first, then the metadata, which is kept and looked at anew."""

    def __init__(
        self, settings: AuthorizationServer, outbound: Outbound, *, clock: Clock, background: Background
    ) -> None:
        self.metadata: Metadata | None = None
        self._settings = settings
        self._outbound = outbound
        self._clock = clock
        self._background = background
        self._fetching = asyncio.Lock()
        self._due = 0.0
        self._mutual_tls = settings.client is not None and settings.client.shows_certificate

    async def fetch_metadata(self) -> Metadata:
        """The metadata as it is now; what was good before stays where it cannot be had.

        Raises AuthorizationServerUnavailable, AuthorizationServerTimeout or ExchangeMisconfigured.
        """
        issuer = self._settings.issuer
        refusal: ExchangeMisconfigured | None = None
        for url in build_metadata_urls(issuer):
            answer = await self._outbound.get(url)
            if answer.status >= 500 or answer.status == 429:
                raise AuthorizationServerUnavailable(
                    f"{url} answered {answer.status}", retry_after=RETRY_AFTER
                )
            if answer.status != 200:
                continue
            try:
                self.metadata = parse_metadata(
                    answer.body, issuer, allow_http=self._settings.allow_http, mutual_tls=self._mutual_tls
                )
            except ExchangeMisconfigured as error:
                refusal = refusal or error
            else:
                self._due = self._clock.monotonic() + METADATA_AGE
                return self.metadata
        raise refusal or ExchangeMisconfigured(f"{issuer} has no metadata", remedy=CHECK_URL)

    async def find_token_url(self) -> str:
        return self._settings.token_url or await self._find("token_url")

    async def find_introspection_url(self) -> str:
        return self._settings.introspection_url or await self._find("introspection_url")

    async def fetch_signing_keys(self) -> FetchedKeys:
        """The JWK Set as it is now. Raises as ``fetch_metadata`` does."""
        url = self._settings.jwks_url or await self._find("jwks_url")
        answer = await self._outbound.get(url)
        if answer.status != 200:
            raise AuthorizationServerUnavailable(
                f"{url} answered {answer.status}", remedy=CHECK_URL, retry_after=RETRY_AFTER
            )
        return FetchedKeys(answer.body, _parse_max_age(answer.headers))

    async def _find(self, name: str) -> str:
        metadata = await self._at_hand()
        url: str | None = getattr(metadata, name)
        if url is None:
            raise ExchangeMisconfigured(
                f"the metadata of {metadata.issuer} names no {name}",
                remedy=f"Set {name} in the configuration.",
            )
        return url

    async def _at_hand(self) -> Metadata:
        if self.metadata is None:
            return await self._fetch_first()
        if self._clock.monotonic() >= self._due:
            self._due = self._clock.monotonic() + METADATA_AGE
            self._background.spawn(self.fetch_metadata(), name="metadata")
        return self.metadata

    async def _fetch_first(self) -> Metadata:
        """One fetches, the others wait for it."""
        async with self._fetching:
            return self.metadata or await self.fetch_metadata()


def _parse_max_age(headers: Mapping[str, str]) -> float | None:
    """RFC 9111 §5.2.2; 0 for an answer that is not to be kept."""
    directives = headers.get("cache-control", "")
    if _NO_CACHE.search(directives):
        return 0.0
    found = _MAX_AGE.search(directives)
    return float(found[1]) if found else None
