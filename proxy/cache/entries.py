"""The entries of the token cache: how many there may be, who leaves first, whose they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from mypy_extensions import mypyc_attr

from ..authentication.index import Index
from ..authentication.segments import SecondChances
from ..exchange.token_exchange import AccessToken
from ..runtime import Clock
from .ends import Ends

UNKNOWN_LIFETIME: Final = 60.0  # s, where nobody told the token's end (RFC 8693 §2.2.1 only recommends to)
SMALLEST_SHARE: Final = 16  # entries that any owner may have
OWNERS_PART: Final = 8  # one owner has at most this part of all, so nobody can push out everybody


@mypyc_attr(native_class=False)
@dataclass(eq=False, slots=True, weakref_slot=True)
class Entry:
    """An access token in use, the parts of its key, and the asker whose subject token it was made with.

    ``bound`` and ``expires_at`` are its end without and with the leeway, in epoch seconds; ``deadline``,
    ``renew_at`` and ``revalidate_at`` are monotonic. ``first`` is whether it is only a step to an access token,
    ``in_doubt`` whether it may have been revoked unheard. ``live`` is whether the cache still has it and it was not
    revoked, ``used`` whether a request was served with it of late.
    """

    access_token: AccessToken = field(repr=False)
    owner: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    bound: float
    expires_at: float
    deadline: float
    renew_at: float
    revalidate_at: float
    maker: bytes = field(repr=False)
    first: bool = False
    identifiers: tuple[bytes, ...] = field(default=(), repr=False)
    actor: bytes = field(default=b"", repr=False)
    live: bool = True
    in_doubt: bool = False
    used: bool = False


def find_bound(
    access_token: AccessToken, subject_expires_at: float, obtained_at: float, max_ttl: float
) -> float:
    """When a token may no longer be given, before any leeway (all but ``max_ttl`` in epoch seconds)."""
    expires_at = access_token.expires_at
    return min(
        obtained_at + UNKNOWN_LIFETIME if expires_at is None else expires_at,
        subject_expires_at,
        obtained_at + max_ttl,
    )


class Entries:
    """At most ``max_entries`` entries by digest. The ended leave first, then those that were not used of late.

    An owner whose share is used up makes room among his own, the oldest first.
    """

    def __init__(self, max_entries: int, clock: Clock) -> None:
        self._share = max(SMALLEST_SHARE, max_entries // OWNERS_PART)
        self._clock = clock
        self._entries: SecondChances[bytes, Entry] = SecondChances(max_entries)
        self._ends = Ends(clock.monotonic())
        self._owned: Index[bytes] = Index()
        self._identified: Index[bytes] = Index()
        self._acted: Index[bytes] = Index()  # by who acts: it takes nothing of that one's share
        self.evictions = 0

    def __len__(self) -> int:
        """With those that have ended but have not been dropped yet."""
        self.expire()
        return len(self._entries)

    def all(self) -> Iterator[Entry]:
        """Every entry, whether or not it has ended; none counts as used. They may be asked for over several turns."""
        return self._entries.values()

    def drain(self) -> Iterator[bytes]:
        """The digests of all, each to be removed before the next one is asked for."""
        return self._entries.drain()

    def get(self, digest: bytes) -> Entry | None:
        """The entry, unless it was revoked, whether or not it has ended; it does not count as used."""
        entry = self._entries.get(digest)
        return entry if entry is not None and entry.live else None

    def add(self, entry: Entry) -> None:
        """In place of the one with the same digest."""
        self.expire()
        self.remove(entry.digest)
        self._make_room(entry)
        self._entries.put(entry.digest, entry)
        self._owned.add(entry.digest, (entry.owner,))
        self._identified.add(entry.digest, entry.identifiers)
        if entry.actor:
            self._acted.add(entry.digest, (entry.actor,))
        self._ends.add(entry.digest, entry.deadline)

    def remove(self, digest: bytes) -> None:
        """Nothing, where there is none."""
        entry = self._entries.of(digest).pop(digest, None)
        if entry is None:
            return
        entry.live = False
        self._owned.discard(digest, (entry.owner,))
        self._identified.discard(digest, entry.identifiers)
        if entry.actor:
            self._acted.discard(digest, (entry.actor,))
        self._ends.discard(digest, entry.deadline)

    def revoke_owned(self, owner: bytes) -> list[Entry]:
        """The entries that the owner has, or acts with for others. None is found any more; each is to be let go.

        To let go takes five times as long as this, and nothing depends on it.
        """
        return self._revoke(self._owned.find(owner)) + self._revoke(self._acted.find(owner))

    def revoke_identified(self, identifier: bytes) -> list[Entry]:
        """The same of the user whom ``identifier`` means."""
        return self._revoke(self._identified.find(identifier))

    def let_go(self, revoked: Entry) -> None:
        """Nothing, where another has taken its place."""
        if self._entries.get(revoked.digest) is revoked:
            self.remove(revoked.digest)

    def _revoke(self, digests: Collection[bytes]) -> list[Entry]:
        revoked = []
        for digest in digests:
            entry = self._entries.of(digest)[digest]
            if entry.live:
                entry.live = False
                revoked.append(entry)
        return revoked

    def expire(self) -> None:
        """Drop some of those that have ended; no use of an entry depends on it."""
        for digest in self._ends.pop_ended(self._clock.monotonic()):
            self.remove(digest)

    def _make_room(self, entry: Entry) -> None:
        """For ``entry``, among its owner's or among all."""
        if self._owned.count(entry.owner) >= self._share:
            leaving: bytes | None = self._owned.first(entry.owner)
        else:
            leaving = self._entries.find_leaving(entry.digest)
        if leaving is not None:
            self.evictions += 1
            self.remove(leaving)
