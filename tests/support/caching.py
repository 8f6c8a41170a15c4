"""What the tests of the cache share: a clock to set, users, and a source of tokens under the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from proxy.authentication.subject_token import SubjectToken
from proxy.cache.access_tokens import AccessTokens
from proxy.cache.key import build_identity
from proxy.cache.token_cache import TokenCache
from proxy.config import models
from proxy.config.shape import build_section
from proxy.errors import ExchangeMisconfigured, ProxyError, SubjectTokenRefused
from proxy.exchange.token_exchange import AccessToken, TokenRequest, build_access_token
from proxy.runtime import Background

from .issuer import ISSUER, NOW, StillClock

START = NOW
REQUEST = TokenRequest("okta", "token_exchange", audience=("api://orders",), scopes=("orders:read",))


def make_subject_token(
    subject: str = "alice", *, value: str = "", expires_at: float = START + 86_400, **claims: object
) -> SubjectToken:
    value = value or f"token-of-{subject}"
    claims = {"iss": ISSUER, "sub": subject} | claims
    identity = build_identity(value, claims, by="subject", ignore=frozenset())
    return SubjectToken(value, "okta", ISSUER, subject, claims, identity, expires_at)


ALICE = make_subject_token("alice")
BOB = make_subject_token("bob")


def make_access_token(
    value: str, expires_at: float | None = START + 3600, certificate: str | None = None
) -> AccessToken:
    return build_access_token(value, "Bearer", expires_at, ("orders:read",), certificate)


class FakeSource:
    """A token source that counts, waits for ``gate`` where there is one, and fails when told to."""

    client_identity = ("https://example.okta.com/token", "0oa9", "client_secret_basic", "")

    def __init__(self, clock: StillClock, lifetime: float | None = 3600.0) -> None:
        self.clock = clock
        self.lifetime = lifetime
        self.certificate: str | None = None  # that the tokens are bound to
        self.asked: list[SubjectToken | None] = []
        self.called = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None
        self.refuse: Callable[[SubjectToken | None], ProxyError | None] = lambda _: None

    @property
    def calls(self) -> int:
        return len(self.asked)

    async def grant(self, request: TokenRequest, subject_token: SubjectToken | None) -> AccessToken:
        self.asked.append(subject_token)
        self.called.set()
        number = self.calls
        if self.gate is not None:
            await self.gate.wait()
        if error := self.error or self.refuse(subject_token):
            raise error
        subject = "proxy" if subject_token is None else subject_token.subject
        expires_at = None if self.lifetime is None else self.clock.time() + self.lifetime
        return make_access_token(f"{subject}#{number}", expires_at, self.certificate)


class Rig:
    """A cache, a source and one route's access tokens."""

    def __init__(self, clock: StillClock | None = None, **settings: object) -> None:
        self.clock = clock or StillClock()
        self.background = Background()
        self.source = FakeSource(self.clock)
        self.cache = TokenCache(
            build_section(models.Cache, settings), clock=self.clock, background=self.background
        )
        self.tokens = self.route()

    def route(self, **changes: object) -> AccessTokens:
        return AccessTokens(replace(REQUEST, **changes), self.source, self.cache)

    async def settle(self) -> None:
        """Until nothing that was started in the background still runs."""
        while len(self.background):
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)


def refused(**more: object) -> SubjectTokenRefused:
    return SubjectTokenRefused("invalid_grant", remember_for=30, remember_by="subject_token", **more)


def misconfigured() -> ExchangeMisconfigured:
    return ExchangeMisconfigured("invalid_client", remember_for=10, remember_by="route")


async def get(tokens: AccessTokens, subject_token: SubjectToken | None) -> AccessToken:
    """As the gateway asks."""
    return tokens.cached(subject_token) or await tokens.obtain(subject_token)


async def turns(number: int = 10) -> None:
    """Let everything that is ready run."""
    for _ in range(number):
        await asyncio.sleep(0)
