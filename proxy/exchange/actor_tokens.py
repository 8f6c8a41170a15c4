"""The token of who acts for a user (RFC 8693 §2.1): our own, a file's, or one that came with the request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from pathlib import Path
from typing import Final

from ..authentication.subject_token import SubjectToken
from ..config.secret_file import SecretFile
from ..errors import ExchangeMisconfigured, ProxyError, clear_tracebacks
from ..runtime import Clock
from .actors import ActorToken, check_actors, check_may_act
from .token_exchange import AccessToken, TokenRequest
from .token_response import parse_claims
from .token_types import ACCESS_TOKEN

LEEWAY: Final = 30.0  # s before its end at which our own token is renewed


class _Own:
    """Our own token for the same scopes, or why there is none. One asks at a time, for all who wait meanwhile."""

    def __init__(self) -> None:
        self.asking = asyncio.Lock()
        self.answer: AccessToken | ProxyError = ExchangeMisconfigured("not asked for yet")
        self.answers = 0

    @property
    def ends_at(self) -> float:
        """Epoch seconds; 0 where it serves nobody who asks from now on."""
        return 0.0 if isinstance(self.answer, ProxyError) else self.answer.expires_at or 0.0


class ActorTokens:
    """For the routes of one authorization server, at which we are ``client_id``.

    ``grant_own`` gets us a token of our own for some scopes. Raises ProxyError.
    """

    def __init__(
        self,
        grant_own: Callable[[tuple[str, ...]], Awaitable[AccessToken]],
        client_id: str,
        clock: Clock,
    ) -> None:
        self._grant_own = grant_own
        self._client_id = client_id
        self._clock = clock
        # By scopes, and files by path: as many as routes name.
        self._own: dict[tuple[str, ...], _Own] = {}
        self._files: dict[str, SecretFile] = {}

    async def find(self, request: TokenRequest, subject_token: SubjectToken) -> ActorToken | None:
        """Who acts, if the route has anybody act and the user's token lets it. Raises ExchangeDenied."""
        check_actors(subject_token.actors, request.allowed_actors, request.max_actors)
        actor = await self._read(request, subject_token)
        if actor is not None:
            check_may_act(subject_token, actor)
        return actor

    async def _read(self, request: TokenRequest, subject_token: SubjectToken) -> ActorToken | None:
        if request.actor:
            # Those of a first leg are another server's, and mean nothing here.
            value = (await self._find_own(() if request.leg == 1 else request.scopes)).value
            claims = parse_claims(value) or {"sub": self._client_id, "client_id": self._client_id}
            return ActorToken(value, ACCESS_TOKEN, claims)
        if request.actor_type is None:
            return None
        if request.actor_file is not None:
            value = self._read_file(request.actor_file)
            return ActorToken(value, request.actor_type, parse_claims(value) or {})
        if subject_token.actor is None:
            raise ExchangeMisconfigured("the exchange needs the actor's token")
        return ActorToken(subject_token.actor.value, request.actor_type, subject_token.actor.claims)

    async def _find_own(self, scopes: tuple[str, ...]) -> AccessToken:
        """Our own token (RFC 8693 §4.1: who acts), for the same scopes, kept until shortly before its end."""
        own = self._own.setdefault(scopes, _Own())
        answers = own.answers
        async with own.asking:
            if own.answers == answers and own.ends_at - LEEWAY <= self._clock.time():
                await self._ask(own, scopes)
            if isinstance(own.answer, ProxyError):
                raise copy(own.answer)
            return own.answer

    async def _ask(self, own: _Own, scopes: tuple[str, ...]) -> None:
        try:
            own.answer = await self._grant_own(scopes)
        except ProxyError as error:
            clear_tracebacks(error)
            own.answer = error
        own.answers += 1

    def _read_file(self, path: str) -> str:
        return self._files.setdefault(path, SecretFile(Path(path))).read_token("the actor's file")
