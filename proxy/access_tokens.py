"""The access token for a route and a user: from the cache, or by one exchange."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from copy import copy
from typing import Protocol

from .cache_entries import Entry
from .cache_key import CacheKey, build_cache_key, build_refusal_key, build_request_digest
from .errors import ProxyError
from .flights import Flight, Outcome
from .shared_tokens import Answer
from .subject_token import SubjectToken
from .token_cache import TokenCache
from .token_exchange import AccessToken, TokenRequest


class TokenSource(Protocol):
    """Where access tokens come from; ``client_identity`` is who we are there."""

    @property
    def client_identity(self) -> Sequence[str]: ...

    async def grant(self, request: TokenRequest, subject_token: SubjectToken | None) -> AccessToken:
        """One exchange, with all its retries. Raises ProxyError."""
        ...


class AccessTokens:
    """The access tokens of one route. Where its grant needs no user, the subject token is None."""

    def __init__(self, request: TokenRequest, server: TokenSource, cache: TokenCache) -> None:
        self._request = request
        self._server = server
        self._cache = cache
        self._digest = cache.own(build_request_digest(request, server.client_identity))
        self.found: object = None  # as a token's, where no user is needed

    def cached(self, subject_token: SubjectToken | None) -> AccessToken | None:
        """The token at hand, or None. Nobody waits here: renewal, where due, starts in the background."""
        holder = self if subject_token is None else subject_token
        found = holder.found
        entry = found if isinstance(found, Entry) and found.request is self._digest else None
        if entry is not None and self._cache.is_held(entry):
            return entry.access_token
        if entry is None or not self._cache.find_again(entry):
            entry = holder.found = self._cache.find(build_cache_key(self._digest, subject_token))
            if entry is None:
                return None
        if self._cache.is_due(entry):
            self._renew(build_cache_key(self._digest, subject_token), entry, subject_token)
        return entry.access_token

    async def obtain(self, subject_token: SubjectToken | None) -> AccessToken:
        """The token at hand, else from one exchange that all who ask meanwhile share.

        Raises ProxyError: what the authorization server refused, now or a moment ago, or how it failed.
        """
        key = build_cache_key(self._digest, subject_token)
        entry = self._cache.find(key)
        if entry is not None:
            return entry.access_token
        asker = build_refusal_key(self._digest, subject_token)
        refusal = self._recall_refusal(asker, subject_token)
        outcome = refusal or await self._exchange(key, asker, subject_token)
        if isinstance(outcome, ProxyError):
            raise copy(outcome) from outcome  # each who waited raises one of his own
        (self if subject_token is None else subject_token).found = self._cache.current(key)
        return outcome

    def reject(self, subject_token: SubjectToken | None, access_token: AccessToken) -> bool:
        """The upstream answered 401 to a cached token: forget it. True when another may be tried."""
        return self._cache.reject(build_cache_key(self._digest, subject_token), access_token)

    def _recall_refusal(self, asker: bytes, subject_token: SubjectToken | None) -> ProxyError | None:
        refusals = self._cache.refusals
        refusal = refusals.recall(asker) or refusals.recall(self._route_key(subject_token))
        if refusal is not None:
            self._cache.lookups["refused"] += 1
        return refusal

    async def _exchange(self, key: CacheKey, asker: bytes, subject_token: SubjectToken | None) -> Outcome:
        """Join the flight for ``key`` or start it.

        Callers with different subject tokens may share a key. When another's token is refused, that says
        nothing about ours: we go again with our own.
        """
        flight = self._cache.flights.find(key.digest)
        self._cache.lookups["miss" if flight is None else "coalesced"] += 1
        if flight is None:
            flight = self._start(key.digest, key, asker, subject_token)
        outcome = await flight.wait()
        if flight.asker == asker or not _is_about_subject_token(outcome):
            return outcome
        own = self._cache.flights.find(asker) or self._start(asker, key, asker, subject_token)
        return await own.wait()

    def _renew(self, key: CacheKey, entry: Entry, subject_token: SubjectToken | None) -> None:
        if self._cache.begin_renewal(key, entry, _expires_at(subject_token)):
            asker = build_refusal_key(self._digest, subject_token)
            self._start(key.digest, key, asker, subject_token, renewing=entry)

    def _renew_if_due(self, key: CacheKey, subject_token: SubjectToken | None) -> None:
        entry = self._cache.current(key)
        if entry is not None and self._cache.is_due(entry):
            self._renew(key, entry, subject_token)

    def _start(
        self,
        name: bytes,
        key: CacheKey,
        asker: bytes,
        subject_token: SubjectToken | None,
        *,
        renewing: Entry | None = None,
    ) -> Flight:
        began = self._cache.time()

        async def fly(flight: Flight) -> Outcome:
            answer = await self._share(key, asker, subject_token, renewing)
            outcome = answer.outcome
            if isinstance(outcome, ProxyError):
                self._refused(outcome, key, asker, subject_token, renewing)
            elif not flight.recalled:
                self._cache.put(key, outcome, answer)
                # Another replica's, it may be due as soon as this flight has landed.
                if answer.obtained_at < began:
                    asyncio.get_running_loop().call_soon(self._renew_if_due, key, subject_token)
            return outcome

        return self._cache.flights.start(name, owner=key.owner, asker=asker, exchange=fly)

    async def _share(
        self, key: CacheKey, asker: bytes, subject_token: SubjectToken | None, renewing: Entry | None
    ) -> Answer:
        """What another replica was answered, or else we."""
        shared = self._cache.shared
        if shared is None:
            return await self._grant(subject_token)
        known = self._cache.rejected(key) if renewing is None else renewing.access_token.value
        return await shared.share(key, asker, known, lambda: self._grant(subject_token))

    async def _grant(self, subject_token: SubjectToken | None) -> Answer:
        outcome: Outcome
        try:
            outcome = await self._server.grant(self._request, subject_token)
        except ProxyError as error:
            outcome = error
        return Answer(outcome, _expires_at(subject_token), self._cache.time())

    def _refused(
        self,
        error: ProxyError,
        key: CacheKey,
        asker: bytes,
        subject_token: SubjectToken | None,
        renewing: Entry | None,
    ) -> None:
        """A final answer ends the entry that was to be renewed; a failure to answer leaves it."""
        route = self._route_key(subject_token)
        self._cache.refusals.remember(error, subject_token=asker, route=route)
        if renewing is not None and error.remember_by is not None:
            self._cache.discard(key, renewing)

    def _route_key(self, subject_token: SubjectToken | None) -> bytes:
        """Ours to mend, but it may be so for one issuer's users alone: that of a server not yet trusted."""
        issuer = "" if subject_token is None else subject_token.authorization_server
        return self._digest + issuer.encode()


def _expires_at(subject_token: SubjectToken | None) -> float:
    return math.inf if subject_token is None else subject_token.expires_at


def _is_about_subject_token(outcome: Outcome) -> bool:
    return isinstance(outcome, ProxyError) and outcome.remember_by == "subject_token"
