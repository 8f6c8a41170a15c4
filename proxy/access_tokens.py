"""The access token for a route and a user: from the cache, or by one exchange."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from copy import copy
from functools import partial
from typing import NamedTuple, Protocol

from .cache_entries import Entry, Hold
from .cache_key import CacheKey, build_cache_key, build_refusal_key, build_request_digest
from .errors import ProxyError, StepUpRequired
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


class Asking(NamedTuple):
    """A subject token, None where the grant needs no user, and what is known of it goes by."""

    subject_token: SubjectToken | None
    key: CacheKey  # of its whole session
    asker: bytes  # of this very token

    @property
    def expires_at(self) -> float:
        return math.inf if self.subject_token is None else self.subject_token.expires_at


class AccessTokens:
    """The access tokens of one route. Where its grant needs no user, the subject token is None.

    Subject tokens of one session may share an entry; whatever is refused is refused to the one that was asked about.
    """

    def __init__(self, request: TokenRequest, server: TokenSource, cache: TokenCache) -> None:
        self._request = request
        self._server = server
        self._cache = cache
        self._digest = cache.own(build_request_digest(request, server.client_identity))
        self.found: object = None  # as a token's, where no user is needed

    def cached(self, subject_token: SubjectToken | None) -> AccessToken | None:
        """The token at hand, or None. Nobody waits here: renewal, where due, starts in the background."""
        hold = (self if subject_token is None else subject_token).found
        if not isinstance(hold, Hold) or hold.entry.request is not self._digest:
            return self._look_up(self._ask(subject_token))
        if self._cache.is_held(hold) or self._cache.prolong(hold):
            return hold.entry.access_token
        return self._look_up(self._ask(subject_token))

    async def obtain(self, subject_token: SubjectToken | None) -> AccessToken:
        """The token at hand, else from one exchange that all who ask meanwhile share.

        Raises ProxyError: what the authorization server refused, now or a moment ago, or how it failed.
        """
        asking = self._ask(subject_token)
        access_token = self._look_up(asking)
        if access_token is not None:
            return access_token
        outcome = self._recall_refusal(asking) or await self._exchange(asking)
        if isinstance(outcome, ProxyError):
            raise copy(outcome) from outcome  # each who waited raises one of his own
        self._keep(self._cache.current(asking.key), asking)
        return outcome

    def reject(self, subject_token: SubjectToken | None, access_token: AccessToken) -> bool:
        """The upstream answered 401 to a cached token: forget it. True when another may be tried."""
        return self._cache.reject(build_cache_key(self._digest, subject_token), access_token)

    def _ask(self, subject_token: SubjectToken | None) -> Asking:
        key = build_cache_key(self._digest, subject_token)
        return Asking(subject_token, key, build_refusal_key(self._digest, subject_token))

    def _look_up(self, asking: Asking) -> AccessToken | None:
        """The session's entry: not for a token that was refused, and for others as long as they are asked about too."""
        entry = None if self._cache.verdicts.is_refused(asking.asker) else self._cache.find(asking.key)
        hold = self._keep(entry, asking)
        if hold is None:
            return None
        if self._cache.is_due(hold):
            self._renew(hold, asking)
        return hold.entry.access_token

    def _keep(self, entry: Entry | None, asking: Asking) -> Hold | None:
        """Remember with the token what was found for it."""
        hold = None if entry is None else self._cache.hold(entry, asking.asker)
        (self if asking.subject_token is None else asking.subject_token).found = hold
        return hold

    def _recall_refusal(self, asking: Asking) -> ProxyError | None:
        refusals = self._cache.refusals
        refusal = refusals.recall(asking.asker) or refusals.recall(self._route_key(asking))
        if refusal is not None:
            self._cache.lookups["refused"] += 1
        return refusal

    async def _exchange(self, asking: Asking) -> Outcome:
        """Join the session's flight or start it.

        Callers with different subject tokens may share a key. When another's token is refused, that says
        nothing about ours: we go again with our own. Nor does another's success, where ours was refused before.
        """
        flights, asker = self._cache.flights, asking.asker
        name = asker if self._cache.verdicts.is_refused(asker) else asking.key.digest
        flight = flights.find(name)
        self._cache.lookups["miss" if flight is None else "coalesced"] += 1
        if flight is None:
            flight = self._start(name, asking)
        outcome = await flight.wait()
        if flight.asker == asker or not _is_verdict(outcome):
            return outcome
        own = flights.find(asker) or self._start(asker, asking)
        return await own.wait()

    def _renew(self, hold: Hold, asking: Asking) -> None:
        if self._cache.begin_renewal(asking.key, hold, asking.asker, asking.expires_at):
            self._start(asking.key.digest, asking, renewing=hold.entry)

    def _renew_if_due(self, asking: Asking) -> None:
        hold = self._keep(self._cache.current(asking.key), asking)
        if hold is not None and self._cache.is_due(hold):
            self._renew(hold, asking)

    def _start(self, name: bytes, asking: Asking, *, renewing: Entry | None = None) -> Flight:
        began = self._cache.time()

        async def fly(flight: Flight) -> Outcome:
            answer = await self._share(asking, renewing)
            outcome = answer.outcome
            if isinstance(outcome, ProxyError):
                self._refused(outcome, asking, renewing)
                return outcome
            if answer.asker == asking.asker:
                self._cache.verdicts.forget(asking.asker)
            if not flight.recalled:
                self._cache.put(asking.key, outcome, answer)
                # Another replica's, it may be due as soon as this flight has landed.
                if answer.obtained_at < began:
                    asyncio.get_running_loop().call_soon(self._renew_if_due, asking)
            return outcome

        return self._cache.flights.start(name, owner=asking.key.owner, asker=asking.asker, exchange=fly)

    async def _share(self, asking: Asking, renewing: Entry | None) -> Answer:
        """What another replica was answered, or else we: on this very token where it was refused, or to renew."""
        shared, key, asker = self._cache.shared, asking.key, asking.asker
        if shared is None:
            return await self._grant(asking)
        began = self._cache.time()
        known = self._cache.rejected(key) if renewing is None else renewing.access_token.value
        if self._cache.verdicts.is_refused(asker):
            answer = await shared.share(
                key._replace(digest=asker), asker, known, partial(self._grant, asking)
            )
            serves = isinstance(answer.outcome, ProxyError) or answer.obtained_at >= began
        else:
            answer = await shared.share(key, asker, known, partial(self._grant, asking))
            serves = renewing is None or answer.asker == asker
        return answer if serves else await self._grant(asking)

    async def _grant(self, asking: Asking) -> Answer:
        outcome: Outcome
        try:
            outcome = await self._server.grant(self._request, asking.subject_token)
        except ProxyError as error:
            outcome = error
        return Answer(outcome, asking.expires_at, self._cache.time(), asking.asker)

    def _refused(self, error: ProxyError, asking: Asking, renewing: Entry | None) -> None:
        """A final answer ends what this token was given; a failure to answer leaves it."""
        self._cache.refusals.remember(error, subject_token=asking.asker, route=self._route_key(asking))
        if _is_verdict(error):
            self._cache.verdicts.refuse(asking.asker)
            self._keep(None, asking)
        if renewing is not None and (_is_verdict(error) or error.remember_by is not None):
            self._cache.refuse_renewal(asking.key, renewing, asking.asker)

    def _route_key(self, asking: Asking) -> bytes:
        """Ours to mend, but it may be so for one issuer's users alone: that of a server not yet trusted."""
        subject_token = asking.subject_token
        issuer = "" if subject_token is None else subject_token.authorization_server
        return self._digest + issuer.encode()


def _is_verdict(outcome: Outcome) -> bool:
    """Whether it is the authorization server's no to one subject token."""
    if not isinstance(outcome, ProxyError):
        return False
    return outcome.remember_by == "subject_token" or isinstance(outcome, StepUpRequired)
