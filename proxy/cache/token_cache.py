"""Access tokens by cache key: how long they may be used, when they are renewed, what ends them early.

An entry ends at the earliest of the access token's end, the subject token's ``exp`` and ``max_ttl``, less
the leeway. Time is checked at every use, on both clocks: the monotonic one, so that a wall clock set back
revives nothing, and the wall clock, so that one set forward (or a machine that slept) does end things.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final
from weakref import WeakValueDictionary

from ..authentication.subject_token import SubjectToken
from ..config import models
from ..exchange.token_exchange import AccessToken
from ..runtime import STEPS, Background, Clock, keep_from_collector, spread
from .entries import Entries, Entry, find_bound
from .held import Held
from .key import CacheKey, build_owner
from .memo import Memo
from .negative_cache import Refusals
from .recent import Recent
from .replicas import Answer, RevocationOwed, SharedTokens
from .revocation import Revocation
from .single_flight import Flights
from .user_revocations import UserRevocations
from .verdicts import Verdicts

LEEWAY_PART: Final = 0.1  # of a lifetime at most, so that short-lived tokens can be kept at all
REFRESH_PART: Final = 0.5  # of a lifetime at most, so that short-lived tokens are not renewed all the time
RENEWAL_PAUSE: Final = 5.0  # s between two attempts to renew one entry
REJECTION_PAUSE: Final = 10.0  # s between two exchanges for one key because an upstream said 401


class TokenCache:
    """The entries of one process, its flights and its refusals; it belongs to one event loop.

    ``lookups`` counts by result: ``hit``, ``miss``, ``coalesced``, ``refused``.
    """

    def __init__(
        self,
        settings: models.Cache,
        *,
        clock: Clock,
        background: Background,
        shared: SharedTokens | None = None,
        users: UserRevocations | None = None,
    ) -> None:
        self._users = users
        self._settings = settings
        self._clock = clock
        self._background = background
        self._entries = Entries(settings.max_entries, clock)
        self._rejected: Recent[str] = Recent(settings.max_entries, REJECTION_PAUSE, clock)
        self._memos: WeakValueDictionary[bytes, Held[Memo]] = WeakValueDictionary()
        self.shared = shared
        self.flights = Flights(background)
        self.refusals = Refusals(settings.max_entries, clock)
        self.verdicts = Verdicts(settings.max_entries)
        self.lookups = {"hit": 0, "miss": 0, "coalesced": 0, "refused": 0}
        self.renewals = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def evictions(self) -> int:
        """How many entries have left for others."""
        return self._entries.evictions

    def expire(self, _now: float) -> None:
        """To be called now and then, as by a sweep: what has ended leaves the memory even where nothing else comes."""
        self._entries.expire()

    def time(self) -> float:
        """Epoch seconds, by the clock that entries end by."""
        return self._clock.time()

    def require(self, subject_token: SubjectToken | None) -> None:
        """Raises SubjectTokenError where the user's access was revoked while the request was under way."""
        if self._users is not None and subject_token is not None:
            self._users.require(subject_token.identifiers, subject_token.issued_at, subject_token.expires_at)

    def find_memo(self, request_digest: bytes) -> Held[Memo]:
        """The memo of all routes that ask for the same, which lasts as long as one of them holds it."""
        return self._memos.setdefault(request_digest, Held(Memo(self._clock)))

    def find(self, key: CacheKey) -> Entry | None:
        """The entry, if it has not ended by either clock.

        One that was made before anybody told of its user has ended too, for no event would find it.
        """
        entry = self._entries.get(key.digest)
        if entry is None:
            return None
        ended = self._clock.monotonic() >= entry.deadline or self._clock.time() >= entry.expires_at
        if ended or (key.identifiers and not entry.identifiers):
            self._entries.remove(key.digest)
            return None
        return entry

    def use(self, entry: Entry) -> None:
        """A hit: ``entry`` serves a request."""
        self.lookups["hit"] += 1
        entry.used = True

    def put(self, key: CacheKey, access_token: AccessToken, answer: Answer, *, first: bool = False) -> None:
        """Keep the token as long as it may be used; one that ends within the leeway is used once.

        A ``first`` step to an access token is not bounded by ``max_ttl``.
        An answer may be another replica's and of a while ago: its whole lifetime says how much leeway it
        gets, its age when it is to be renewed. Whose token made the entry before is asked about when that was due.
        """
        now, wall = self._clock.monotonic(), self._clock.time()
        settings = self._settings
        obtained_at = min(answer.obtained_at, wall)
        max_ttl = math.inf if first else settings.max_ttl
        bound = find_bound(access_token, answer.subject_expires_at, obtained_at, max_ttl)
        lifetime = (bound - obtained_at) - min(settings.expiry_leeway, (bound - obtained_at) * LEEWAY_PART)
        remaining = obtained_at + lifetime - wall
        if not remaining > 0:
            return
        before = self.find(key)
        if before is not None and before.maker != answer.asker:
            self.verdicts.schedule(before.maker, before.revalidate_at)
        deadline = now + remaining
        revalidate_at = now + settings.revalidate_after - (wall - obtained_at)
        refresh_at = deadline - min(settings.refresh_ahead, lifetime * REFRESH_PART)
        entry = Entry(
            access_token,
            key.owner,
            key.digest,
            bound=bound,
            expires_at=wall + remaining,
            deadline=deadline,
            renew_at=min(refresh_at, revalidate_at),
            revalidate_at=revalidate_at,
            maker=answer.asker,
            first=first,
            identifiers=key.identifiers,
            actor=key.actor,
        )
        keep_from_collector(access_token, entry)
        self._entries.add(entry)

    def is_due(self, entry: Entry, ask_at: float) -> bool:
        """Whether a hit shall renew the entry, or ask about the token that was given it."""
        now = self._clock.monotonic()
        return entry.renew_at <= now or ask_at <= now

    def begin_renewal(self, key: CacheKey, entry: Entry, ask_at: float, subject_expires_at: float) -> bool:
        """Whether to renew now: not twice within the pause, and only for a longer life or a fresh verdict.

        ``key``, ``ask_at`` and ``subject_expires_at`` belong to the subject token that would be exchanged: where
        its end is what ended the entry, another exchange of it would gain nothing.
        """
        now = self._clock.monotonic()
        if now < min(entry.revalidate_at, ask_at) and subject_expires_at <= entry.bound:
            return False
        if self.flights.find(key.digest) is not None:
            return False
        if ask_at <= now:
            self.verdicts.postpone(key.asker, now + RENEWAL_PAUSE)
        if entry.renew_at <= now:
            entry.renew_at = now + RENEWAL_PAUSE
        self.renewals += 1
        return True

    def let_run_out(self, key: CacheKey, entry: Entry) -> None:
        """Renew the entry no more, whichever token of the session asks: it serves until it ends."""
        entry.renew_at = entry.revalidate_at = math.inf
        if key.asker != entry.maker:
            self.verdicts.postpone(key.asker, math.inf)

    def refuse_renewal(self, key: CacheKey, entry: Entry) -> None:
        """Drop what was to be renewed, if it was made with the refused token; else others' verdict is still due."""
        if entry.maker != key.asker:
            entry.renew_at = min(entry.renew_at, entry.revalidate_at)
        elif self.find(key) is entry:  # no other has taken its place
            self._entries.remove(key.digest)

    def reject(self, key: CacheKey, access_token: AccessToken) -> bool:
        """Drop the entry if it still holds this very token; True when another token may be tried.

        An upstream that says 401 to every token costs one exchange for each key and ``REJECTION_PAUSE``.
        """
        entry = self.find(key)
        if entry is not None and entry.access_token.value != access_token.value:
            return True
        if self._rejected.get(key.digest) is not None:
            return self.flights.find(key.digest) is not None
        self._rejected.keep(key.digest, access_token.value)
        self._entries.remove(key.digest)
        if self.shared is not None:
            self._background.spawn(self.shared.forget(key), name="forget")
        return True

    def rejected(self, key: CacheKey) -> str | None:
        """The token that was rejected under ``key`` a moment ago."""
        return self._rejected.get(key.digest)

    async def purge(self, issuer: str, subject: str) -> int:
        """Drop the user's entries, and keep what is being exchanged for them from becoming one.

        So it is with those of others for whom the user acts.

        Returns how many there were here; those that replicas share are dropped as well. Raises RevocationOwed
        where other replicas may not know of it yet.
        """
        revocation = Revocation("owner", build_owner(issuer, subject), self._clock.time())
        dropped = self._drop(revocation)
        if self.shared is not None:
            try:
                await self.shared.revoke(revocation)
            except RevocationOwed as owed:
                owed.dropped = dropped
                raise
        return dropped

    def hear(self, revocations: Sequence[Revocation]) -> int:
        """These were revoked. Returns how many entries there were."""
        return sum(map(self._drop, revocations))

    def doubt(self, seconds: float) -> None:
        """Renew every entry at its first use after some time, ``seconds`` at most, whatever that costs.

        The time is each entry's own, so that not all are renewed at once, and however often this is said. First steps
        to access tokens go: to renew by them would renew nothing. All are marked within the next turns of the loop, and
        maybe some that come meanwhile.
        """
        doubt = partial(self._doubt, self._clock.monotonic() + seconds, seconds)
        self._spread(doubt, self._entries.all(), number=len(self._entries), name="doubt")

    async def aclose(self) -> None:
        """Nothing is kept any more; many entries are not all let go in one turn of the event loop."""
        await spread(self._entries.remove, self._entries.drain())
        await self._rejected.aclose()
        await self.refusals.aclose()
        await self.verdicts.aclose()

    def _doubt(self, ends_at: float, seconds: float, entry: Entry) -> None:
        entry.in_doubt = True
        if entry.first and entry.live:
            self._entries.remove(entry.digest)
        elif entry.revalidate_at > ends_at:  # else it is asked about in time anyhow
            entry.revalidate_at = ends_at - seconds * (0.5 - entry.digest[0] / 512)
            entry.renew_at = min(entry.renew_at, entry.revalidate_at)

    def _drop(self, revocation: Revocation) -> int:
        """How many had not ended. None serves any more; of many some stay in memory for the next turns of the loop."""
        if revocation.kind == "user":
            self.flights.recall_identified(revocation.key)
            revoked = self._entries.revoke_identified(revocation.key)
        else:
            self.flights.recall(revocation.key)
            revoked = self._entries.revoke_owned(revocation.key)
        now = self._clock.monotonic()
        lived = sum([now < entry.deadline for entry in revoked])
        self._spread(self._entries.let_go, iter(revoked), number=len(revoked), name="purge")
        return lived

    def _spread(
        self, step: Callable[[Entry], None], entries: Iterator[Entry], *, number: int, name: str
    ) -> None:
        """Do ``step`` to a few of ``entries`` at once, to the others within the next turns."""
        for entry in islice(entries, STEPS):
            step(entry)
        if number > STEPS:
            self._background.spawn(spread(step, entries), name=name)
