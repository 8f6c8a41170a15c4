"""The access token for a route and a user: from the cache, or by one exchange."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import Protocol

from ..authentication.subject_token import SubjectToken
from ..errors import ProxyError, StepUpRequired, clear_tracebacks
from ..exchange.token_exchange import AccessToken, TokenRequest
from .entries import Entry
from .key import CacheKey, build_cache_key, build_request_digest
from .replicas import Answer
from .single_flight import Flight, Outcome
from .token_cache import TokenCache


class TokenSource(Protocol):
    """Where access tokens come from; ``client_identity`` is who we are there."""

    @property
    def client_identity(self) -> Sequence[str]: ...

    async def grant(self, request: TokenRequest, subject_token: SubjectToken | None) -> AccessToken:
        """One exchange, with all its retries. Raises ProxyError."""
        ...


class AccessTokens:
    """The access tokens of one route. Where its grant needs no user, the subject token is None.

    ``may_renew`` says whether a token may be renewed ahead of its end. Those that are only a ``first`` step to access
    tokens last as long as they are good, whatever ``max_ttl`` is.
    Subject tokens of one session may share an entry; whatever is refused is refused to the one that was asked about.
    """

    def __init__(
        self,
        request: TokenRequest,
        server: TokenSource,
        cache: TokenCache,
        *,
        may_renew: Callable[[SubjectToken], bool] | None = None,
        first: bool = False,
    ) -> None:
        self._request = request
        self._server = server
        self._cache = cache
        self._may_renew = may_renew
        self._first = first
        self._digest = build_request_digest(request, server.client_identity)
        self._held_memo = cache.find_memo(self._digest)
        self._memo = self._held_memo.value
        self._missed: tuple[SubjectToken | None, CacheKey] | None = None  # just now, until it is obtained

    @property
    def digest(self) -> bytes:
        """What is asked for, and as which client (32 bytes)."""
        return self._digest

    def cached(self, subject_token: SubjectToken | None) -> AccessToken | None:
        """The token at hand, or None. Nobody waits here: renewal, where due, starts in the background."""
        entry = self._memo.recall(subject_token)
        if entry is None:
            key = build_cache_key(self._digest, subject_token)
            access_token = self._look_up(key, subject_token)
            self._missed = (subject_token, key) if access_token is None else None
            return access_token
        self._cache.use(entry)
        return entry.access_token

    def holds(self, subject_token: SubjectToken | None) -> bool:
        """Whether the token is at hand; asked by those who do not want one obtained."""
        held = self.cached(subject_token) is not None
        self._missed = None  # nobody would take it, and it keeps the subject token
        return held

    async def obtain(self, subject_token: SubjectToken | None) -> AccessToken:
        """The token at hand, else from one exchange that all who ask meanwhile share.

        Raises ProxyError: what the authorization server refused, now or a moment ago, or how it failed. Nothing is
        obtained any more with a subject token that counts no more since it was verified.
        """
        key = self._take_key(subject_token)
        self._cache.require(subject_token)
        access_token = self._look_up(key, subject_token)
        if access_token is not None:
            return access_token
        outcome = self._recall_refusal(key, subject_token) or await self._exchange(key, subject_token)
        if isinstance(outcome, ProxyError):
            raise copy(outcome) from outcome  # each who waited raises one of his own
        self._find(key, subject_token)
        return outcome

    def reject(self, subject_token: SubjectToken | None, access_token: AccessToken) -> bool:
        """The upstream answered 401 to a cached token: forget it. True when another may be tried."""
        return self._cache.reject(build_cache_key(self._digest, subject_token), access_token)

    def _take_key(self, subject_token: SubjectToken | None) -> CacheKey:
        """That of the look-up just now, where it was for the same."""
        missed, self._missed = self._missed, None
        if missed is not None and missed[0] is subject_token:
            return missed[1]
        return build_cache_key(self._digest, subject_token)

    def _look_up(self, key: CacheKey, subject_token: SubjectToken | None) -> AccessToken | None:
        found = self._find(key, subject_token)
        if found is None:
            return None
        entry, ask_at = found
        self._cache.use(entry)
        if self._cache.is_due(entry, ask_at):
            self._renew(entry, ask_at, key, subject_token)
        return entry.access_token

    def _find(self, key: CacheKey, subject_token: SubjectToken | None) -> tuple[Entry, float] | None:
        """The session's entry for this token, and when the token is to be asked about; a note of it is made.

        None where there is no entry, or the token was refused.
        """
        entry, verdicts = self._cache.find(key), self._cache.verdicts
        if entry is None or verdicts.is_refused(key.asker):
            self._memo.forget(subject_token)
            return None
        made_with_it = entry.maker == key.asker
        ask_at = math.inf if made_with_it else verdicts.schedule(key.asker, entry.revalidate_at)
        self._memo.note(subject_token, entry, ask_at)
        return entry, ask_at

    def _recall_refusal(self, key: CacheKey, subject_token: SubjectToken | None) -> ProxyError | None:
        refusals = self._cache.refusals
        refusal = refusals.recall(key.asker) or refusals.recall(self._route_key(subject_token))
        if refusal is not None:
            self._cache.lookups["refused"] += 1
        return refusal

    async def _exchange(self, key: CacheKey, subject_token: SubjectToken | None) -> Outcome:
        """Join the session's flight or start it.

        Callers with different subject tokens may share a key. When another's token is refused, that says
        nothing about ours: we go again with our own. Nor does another's success, where ours was refused before.
        """
        flights = self._cache.flights
        name = key.asker if self._cache.verdicts.is_refused(key.asker) else key.digest
        flight = flights.find(name)
        self._cache.lookups["miss" if flight is None else "coalesced"] += 1
        if flight is None:
            flight = self._start(name, key, subject_token)
        outcome = await flight.wait()
        if flight.asker == key.asker or not _is_verdict(outcome):
            return outcome
        own = flights.find(key.asker) or self._start(key.asker, key, subject_token)
        return await own.wait()

    def _renew(self, entry: Entry, ask_at: float, key: CacheKey, subject_token: SubjectToken | None) -> None:
        if subject_token is not None and not entry.in_doubt and not self._renews(subject_token):
            self._cache.let_run_out(key, entry)
        elif self._cache.begin_renewal(key, entry, ask_at, _expires_at(subject_token)):
            self._start(key.digest, key, subject_token, renewing=entry)

    def _renews(self, subject_token: SubjectToken) -> bool:
        return self._may_renew is None or self._may_renew(subject_token)

    def _renew_if_due(self, key: CacheKey, subject_token: SubjectToken | None) -> None:
        found = self._find(key, subject_token)
        if found is not None and self._cache.is_due(*found):
            self._renew(*found, key, subject_token)

    def _start(
        self, name: bytes, key: CacheKey, subject_token: SubjectToken | None, *, renewing: Entry | None = None
    ) -> Flight:
        began = self._cache.time()

        async def fly(flight: Flight) -> Outcome:
            answer = await self._share(key, subject_token, renewing)
            outcome = answer.outcome
            if isinstance(outcome, ProxyError):
                self._refused(outcome, key, subject_token, renewing)
                return outcome
            if answer.asker == key.asker:
                self._cache.verdicts.forget(key.asker)
            if not flight.recalled:
                self._cache.put(key, outcome, answer, first=self._first)
                # Another replica's, it may be due as soon as this flight has landed.
                if answer.obtained_at < began:
                    asyncio.get_running_loop().call_soon(self._renew_if_due, key, subject_token)
            return outcome

        return self._cache.flights.start(
            name,
            owner=key.owner,
            asker=key.asker,
            identifiers=key.identifiers,
            actor=key.actor,
            exchange=fly,
        )

    async def _share(
        self, key: CacheKey, subject_token: SubjectToken | None, renewing: Entry | None
    ) -> Answer:
        """What another replica was answered, or else we: on this very token where it was refused, or to renew."""
        shared, grant = self._cache.shared, partial(self._grant, key, subject_token)
        if shared is None:
            return await grant()
        began = self._cache.time()
        known = self._cache.rejected(key) if renewing is None else renewing.access_token.value
        if self._cache.verdicts.is_refused(key.asker):
            answer = await shared.share(key._replace(digest=key.asker), key.asker, known, grant)
            serves = isinstance(answer.outcome, ProxyError) or answer.obtained_at >= began
        else:
            answer = await shared.share(key, key.asker, known, grant)
            serves = renewing is None or answer.asker == key.asker
        return answer if serves else await grant()

    async def _grant(self, key: CacheKey, subject_token: SubjectToken | None) -> Answer:
        began = self._cache.time()  # what is revoked meanwhile is revoked in the answer too
        outcome: Outcome
        try:
            outcome = await self._server.grant(self._request, subject_token)
        except ProxyError as error:
            clear_tracebacks(error)
            outcome = error
        return Answer(outcome, _expires_at(subject_token), began, key.asker)

    def _refused(
        self, error: ProxyError, key: CacheKey, subject_token: SubjectToken | None, renewing: Entry | None
    ) -> None:
        """A final answer ends what this token was given; a failure to answer leaves it."""
        route = self._route_key(subject_token)
        self._cache.refusals.remember(error, subject_token=key.asker, route=route)
        if _is_verdict(error):
            self._cache.verdicts.refuse(key.asker)
            self._memo.forget(subject_token)
        if renewing is not None and (_is_verdict(error) or error.remember_by is not None):
            self._cache.refuse_renewal(key, renewing)

    def _route_key(self, subject_token: SubjectToken | None) -> bytes:
        """Ours to mend, but it may be so for one issuer's users alone: that of a server not yet trusted."""
        issuer = "" if subject_token is None else subject_token.authorization_server
        return self._digest + issuer.encode()


def _expires_at(subject_token: SubjectToken | None) -> float:
    return math.inf if subject_token is None else subject_token.expires_at


def _is_verdict(outcome: Outcome) -> bool:
    """Whether it is the authorization server's no to one subject token."""
    if not isinstance(outcome, ProxyError):
        return False
    return outcome.remember_by == "subject_token" or isinstance(outcome, StepUpRequired)
