"""Tokens of our own that say who acts for the user (RFC 8693 §4.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from ..runtime import Clock
from .token_exchange import AccessToken, TokenRequest

LEEWAY: Final = 30.0  # s before its end at which a token is renewed


class ActorTokens:
    """One for each set of scopes that routes ask for, kept until shortly before its end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, ...], AccessToken] = {}
        self._granting = asyncio.Lock()

    async def find(
        self, request: TokenRequest, grant: Callable[[TokenRequest], Awaitable[AccessToken]]
    ) -> AccessToken:
        """The actor's token for the scopes of ``request``; where there is none, what ``grant`` brings or raises."""
        async with self._granting:
            kept = self._kept.get(request.scopes)
            if kept is None or (kept.expires_at or 0.0) - LEEWAY <= self._clock.time():
                own = TokenRequest(request.authorization_server, "client_credentials", scopes=request.scopes)
                kept = self._kept[request.scopes] = await grant(own)
            return kept
