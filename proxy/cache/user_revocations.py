"""Users whose access has ended: none of their subject tokens of before counts, and nothing that was obtained with one.

There is one table for the process: a reload takes nothing back. A mark lasts until every subject token that it refuses
has ended by itself. The table is bounded; where it is full the oldest mark goes, and everybody's subject tokens of
before it are refused instead, for it can no longer be told whose they are.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from ..authentication.segments import Bounded
from ..errors import SubjectTokenInvalid, SubjectTokenRefused
from ..runtime import STEPS, Clock, keep_from_collector
from .replicas import Revocable
from .revocation import Revocation

LASTING: Final = 86_400.0  # s: no subject token may live longer, as none of Okta's does
MARGIN: Final = 600.0  # s that a mark lasts longer, for clocks that differ and what is accepted after its end
MOST: Final = 100_000  # marks, some 400 bytes each
_FLOOR: Final = "floor"  # everybody's tokens that were issued no later; told to processes of our own alone
REMEDY: Final = (
    "The user must sign in again: its authorization server said that earlier tokens no longer count."
)

log = logging.getLogger(__name__)


class _Mark(NamedTuple):
    """``not_before`` is by the issuer's clock, ``heard_at`` by ours; ``ends_at`` is monotonic."""

    not_before: float
    heard_at: float
    ends_at: float


class UserRevocations:
    """Implements ``Revocable``: what is heard here goes on to those who ``follow``."""

    def __init__(self, clock: Clock, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._marks: Bounded[bytes, _Mark] = Bounded(most)  # each segment's in the order in which they end
        self._floor = _Mark(0.0, 0.0, 0.0)
        self._caches: dict[Revocable, None] = {}

    def __len__(self) -> int:
        """How many there are, with some that have ended but have not been forgotten yet."""
        self._forget_ended()
        return len(self._marks)

    def follow(self, cache: Revocable) -> None:
        """``cache`` hears whatever is heard here, until ``leave``."""
        self._caches[cache] = None

    def leave(self, cache: Revocable) -> None:
        self._caches.pop(cache, None)

    def hear(self, revocations: Sequence[Revocation]) -> int:
        for revocation in revocations:
            if revocation.kind == "user":
                self._mark(revocation)
            elif revocation.kind == _FLOOR:
                ends_at = self._clock.monotonic() + LASTING + MARGIN
                self._raise_floor(_Mark(revocation.not_before, self._clock.time(), ends_at))
        return sum(cache.hear(revocations) for cache in tuple(self._caches))

    def doubt(self, seconds: float) -> None:
        for cache in tuple(self._caches):
            cache.doubt(seconds)

    def missing(self, revocations: Iterable[Revocation]) -> list[Revocation]:
        """Those that say more than is known here."""
        return [
            each
            for each in revocations
            if each.not_before > (self._marks.get(each.key) or self._floor).not_before
        ]

    def all(self) -> list[Revocation]:
        """What is in force, for a process that begins."""
        now = self._clock.monotonic()
        marks = [
            Revocation("user", key, mark.not_before)
            for segment in self._marks.segments
            for key, mark in segment.items()
            if now < mark.ends_at
        ]
        in_force = now < self._floor.ends_at
        return [Revocation(_FLOOR, b"", self._floor.not_before), *marks] if in_force else marks

    def latest(self, revocation: Revocation) -> Revocation:
        """The same, of the latest event that is known here: they overtake each other."""
        mark = self._marks.get(revocation.key) if revocation.kind == "user" else None
        return revocation if mark is None else revocation._replace(not_before=mark.not_before)

    def heard_at(self, identifiers: Collection[bytes]) -> float:
        """What was obtained for that user before this counts no more (epoch s); 0 where nothing was revoked."""
        return max((mark.heard_at for mark in self._find(identifiers)), default=0.0)

    def require(self, identifiers: Collection[bytes], issued_at: float | None, expires_at: float) -> None:
        """SubjectTokenRefused for a token that was issued no later than a revocation (both in epoch seconds).

        A token that tells no time may be of any. SubjectTokenInvalid for one that could outlast a mark.
        """
        if not identifiers:
            return
        if expires_at - (self._clock.time() if issued_at is None else issued_at) > LASTING:
            raise SubjectTokenInvalid(
                "the token lives for more than a day: a revocation would not be remembered as long",
                remedy="Shorten the lifetime of access tokens at the issuer, or do without its signals.",
            )
        if (issued_at or 0.0) <= self.not_before(identifiers):
            raise SubjectTokenRefused(
                "the token was issued before the user's access was revoked", remedy=REMEDY
            )

    def not_before(self, identifiers: Collection[bytes]) -> float:
        """Subject tokens of that user that were issued no later are refused (epoch s); -1 where none are."""
        return max((mark.not_before for mark in self._find(identifiers)), default=-1.0)

    def _find(self, identifiers: Collection[bytes]) -> list[_Mark]:
        now = self._clock.monotonic()
        found = (*map(self._marks.get, identifiers), self._floor) if identifiers else ()
        return [mark for mark in found if mark is not None and now < mark.ends_at]

    def _mark(self, revocation: Revocation) -> None:
        _, key, not_before = revocation
        self._forget_ended()
        before = self._marks.get(key)
        if before is None and len(self._marks) >= self._most:
            self._raise_floor(self._pop_oldest())
        not_before = not_before if before is None else max(not_before, before.not_before)
        mark = _Mark(not_before, self._clock.time(), self._clock.monotonic() + LASTING + MARGIN)
        keep_from_collector(mark)
        self._marks.put(key, mark)

    def _pop_oldest(self) -> _Mark:
        """Of all: of the oldest of each segment."""
        oldest = (next(iter(segment.items())) for segment in self._marks.segments if segment)
        key, mark = min(oldest, key=lambda item: item[1].ends_at)
        self._marks.discard(key)
        return mark

    def _raise_floor(self, gone: _Mark) -> None:
        now = self._clock.monotonic()
        if now >= self._floor.ends_at or self._floor.ends_at == 0.0:
            log.error("too many users' access was revoked: tokens of before are refused to everybody")
            self._floor = gone
        else:
            self._floor = _Mark(*map(max, self._floor, gone))

    def _forget_ended(self) -> None:
        """Some of them: each mark that comes makes room for more than itself."""
        for key in list(islice(self._find_ended(), STEPS)):
            self._marks.discard(key)

    def _find_ended(self) -> Iterator[bytes]:
        now = self._clock.monotonic()
        for segment in self._marks.segments:
            for key, mark in segment.items():
                if now < mark.ends_at:
                    break
                yield key
