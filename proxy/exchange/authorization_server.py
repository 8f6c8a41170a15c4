"""Everything that is said to one authorization server: metadata, keys, exchanges, introspection.

Not here: how a grant is asked for (``token_endpoint``), what the answers mean (``token_response``, ``oauth_errors``),
how often a call is tried (``endpoint``), and any caching of the users' tokens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..authentication.signing_keys import FetchedKeys
from ..authentication.subject_token import SubjectToken
from ..config import models
from ..errors import ExchangeMisconfigured, ExchangeResponseInvalid, ProxyError
from ..runtime import Background, Clock
from .answer import Answer
from .client_auth import build_client_authentication
from .client_tls import check_binding
from .credentials import ClientAuthentication, Validity
from .discovery import Discovery
from .endpoint import Call, Endpoint, Limits, Random, Sleep, jitter
from .introspector import Introspector
from .metadata import Metadata
from .okta_refusals import CHECK_DPOP_ON
from .rate_limit import RateLimit
from .record import ExchangeRecord, build_record
from .token_endpoint import TokenEndpoint
from .token_exchange import AccessToken, TokenRequest
from .token_response import parse_token_response
from .transport import Outbound

if TYPE_CHECKING:
    from .dpop import DPoPKey

Part = TypeVar("Part")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AuthorizationServerStatus:
    """For the status page; ``held_for`` and ``clock_offset`` are seconds."""

    issuer: str
    token_url: str | None
    breaker_open: bool
    held_for: float
    rate_limit: RateLimit | None
    in_flight: int
    waiting: int
    clock_offset: float
    dpop: bool
    dpop_nonce_known: bool
    client_validity: Validity | None
    last_error: str | None
    last_remedy: str | None


class AuthorizationServer:
    """One authorization server, by its settings; the token source of every route that exchanges there.

    ``on_exchange`` hears of each grant once, when it has ended. Raises ValueError or OSError where the client's
    settings or the CA file cannot be used at all.
    """

    def __init__(
        self,
        name: str,
        settings: models.AuthorizationServer,
        *,
        clock: Clock,
        background: Background,
        on_exchange: Callable[[ExchangeRecord], None] | None = None,
        sleep: Sleep = asyncio.sleep,
        random: Random = jitter,
    ) -> None:
        self.name = name
        self.settings = settings
        self.dpop_key = _build_dpop_key(clock) if settings.dpop else None
        self._clock = clock
        self._on_exchange = on_exchange
        self._authentication: ClientAuthentication | None = None
        self._outbound = Outbound(settings)
        self._discovery = Discovery(settings, self._outbound, clock=clock, background=background)
        self._token: Endpoint | None = None
        self._token_endpoint: TokenEndpoint | None = None
        self._introspector: Introspector | None = None
        if settings.client is not None:
            self._authentication = build_client_authentication(settings.client, ca_file=settings.ca_file)
            build_endpoint = partial(
                Endpoint,
                self._outbound,
                authentication=self._authentication,
                clock=clock,
                sleep=sleep,
                random=random,
            )
            self._token = build_endpoint(
                self._discovery.find_token_url, limits=Limits(settings.timeout), dpop_key=self.dpop_key
            )
            self._token_endpoint = TokenEndpoint(self._token, settings, self._grant_own, clock)
            self._introspector = Introspector(
                lambda limits: build_endpoint(self._discovery.find_introspection_url, limits=limits),
                timeout=settings.timeout,
                clock=clock,
            )
        self._last_error: ProxyError | None = None
        self._warned = False

    @property
    def client_identity(self) -> Sequence[str]:
        """Where and as whom we ask: what tells our tokens from another client's."""
        client = self.settings.client
        return (
            self.settings.token_url or self.settings.issuer,
            self._authentication.identity() if self._authentication else "",
            client.auth if client else "",
            self.dpop_key.thumbprint if self.dpop_key else "",
        )

    @property
    def client_id(self) -> str | None:
        """Who we are here, where that has a name."""
        return self.settings.client.id if self.settings.client else None

    async def grant(self, request: TokenRequest, subject_token: SubjectToken | None) -> AccessToken:
        """One exchange with all its retries, checked. Raises what a refusal means (ProxyError)."""
        began = self._clock.monotonic()
        call = Call()
        try:
            access_token = await self._grant(request, subject_token, call)
        except ProxyError as error:
            # That nothing was asked says nothing of why.
            if call.tries or self._last_error is None or isinstance(error, ExchangeMisconfigured):
                self._last_error = error
            self._report(request, subject_token, call, error, self._clock.monotonic() - began)
            raise
        self._report(request, subject_token, call, None, self._clock.monotonic() - began)
        return access_token

    async def ask(
        self, request: TokenRequest, subject_token: SubjectToken | None, call: Call | None = None
    ) -> Mapping[str, Any]:
        """The answer of the token URL to one grant, unchecked. Raises what a refusal means (ProxyError)."""
        return await self._need(self._token_endpoint).ask(request, subject_token, call or Call())

    def accept(
        self, answer: Mapping[str, Any], request: TokenRequest, subject_token: SubjectToken | None
    ) -> AccessToken:
        """The token that ``answer`` brings. Raises ExchangeResponseInvalid where it is not the one asked for."""
        access_token = parse_token_response(
            answer,
            request,
            subject_token,
            now=self._clock.time(),
            check_subject=self.settings.check_subject,
        )
        if access_token.token_type == "DPoP" and self.dpop_key is None:
            raise ExchangeResponseInvalid(
                "the token is bound to a key, and we have none", remedy=CHECK_DPOP_ON
            )
        if access_token.certificate is not None:
            access_token = check_binding(access_token, access_token.certificate, self._authentication)
        if request.grant == "token_exchange" and "issued_token_type" not in answer and not self._warned:
            self._warned = True
            log.warning(
                "answers lack issued_token_type (RFC 8693 §2.2.1)", extra={"authorization_server": self.name}
            )
        return access_token

    async def introspect(self, token: str) -> Mapping[str, Any]:
        """RFC 7662: what the server says of ``token``; ``active`` decides. Raises ProxyError."""
        return await self._need(self._introspector).introspect(token)

    async def get(self, url: str) -> Answer:
        """What ``url``, one of the server's own, answers. Raises ProxyError."""
        return await self._outbound.get(url)

    async def fetch_metadata(self) -> Metadata:
        """The metadata as it is now (RFC 8414). Raises ProxyError."""
        return await self._discovery.fetch_metadata()

    async def fetch_signing_keys(self) -> FetchedKeys:
        """The JWK Set as it is now. Raises ProxyError."""
        return await self._discovery.fetch_signing_keys()

    def public_jwks(self) -> dict[str, list[dict[str, str]]]:
        """Our public keys, for the server to fetch; none with a secret. Raises OSError or ValueError."""
        keys = self._authentication.signing_keys() if self._authentication else ()
        if not keys:
            return {"keys": []}
        from ..jose.private_keys import build_jwks  # noqa: PLC0415 - who has a secret does without what signs

        return build_jwks(keys)

    def validity(self) -> Validity | None:
        """The end of what vouches for us here, where it has one; as a fault where it cannot be read."""
        if self._authentication is None or self.settings.client is None:
            return None
        try:
            return self._authentication.validity()
        except (OSError, ValueError) as error:
            return Validity("key", self.settings.client.auth, fault=str(error))

    def status(self) -> AuthorizationServerStatus:
        """How things stand now."""
        token, metadata = self._token, self._discovery.metadata
        token_url = self.settings.token_url or (metadata.token_url if metadata else None)
        return AuthorizationServerStatus(
            issuer=self.settings.issuer,
            token_url=token_url,
            breaker_open=token is not None and token.breaker.open,
            held_for=token.gate.closed_for() if token else 0.0,
            rate_limit=token.gate.rate_limit if token else None,
            in_flight=token.bulkhead.in_flight if token else 0,
            waiting=token.bulkhead.waiting if token else 0,
            clock_offset=token.clock_offset if token else 0.0,
            dpop=self.settings.dpop,
            dpop_nonce_known=bool(token and token_url and token.nonces.find(token_url)),
            client_validity=self.validity(),
            last_error=str(self._last_error) if self._last_error else None,
            last_remedy=self._last_error.remedy if self._last_error else None,
        )

    def prepare_authorities(self) -> Callable[[], None]:
        """Read the CA file again; the result makes new connections go by it. Raises OSError."""
        return self._outbound.prepare_authorities()

    async def aclose(self) -> None:
        await self._outbound.aclose()

    async def _grant(
        self, request: TokenRequest, subject_token: SubjectToken | None, call: Call
    ) -> AccessToken:
        return self.accept(await self.ask(request, subject_token, call), request, subject_token)

    async def _grant_own(self, scopes: tuple[str, ...]) -> AccessToken:
        """Our own token, for ourselves."""
        own = TokenRequest(self.name, "client_credentials", scopes=scopes)
        return await self._grant(own, None, Call())

    def _report(
        self,
        request: TokenRequest,
        subject_token: SubjectToken | None,
        call: Call,
        error: ProxyError | None,
        seconds: float,
    ) -> None:
        if self._on_exchange is None:
            return
        record = build_record(self.name, self.client_id, request, subject_token, call, error, seconds)
        self._on_exchange(record)

    def _need(self, part: Part | None) -> Part:
        if part is None:
            raise ExchangeMisconfigured(
                f"no client is configured at {self.name}",
                remedy=f"Set authorization_servers.{self.name}.client.",
            )
        return part


def _build_dpop_key(clock: Clock) -> DPoPKey:
    from .dpop import DPoPKey  # noqa: PLC0415 - who proves nothing does without what signs

    return DPoPKey(clock)
