"""The entries of the token cache: how many there may be, who leaves first, whose they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cachetools import Cache, TLRUCache

from ..exchange.token_exchange import AccessToken
from ..runtime import Clock

UNKNOWN_LIFETIME: Final = 60.0  # s, where nobody told the token's end (RFC 8693 §2.2.1 only recommends to)
SMALLEST_SHARE: Final = 16  # entries that any owner may have
OWNERS_PART: Final = 8  # one owner has at most this part of all, so nobody can push out everybody


@dataclass(eq=False, slots=True)
class Entry:
    """An access token in use, the parts of its key, and the asker whose subject token it was made with.

    ``bound`` and ``expires_at`` are its end without and with the leeway, in epoch seconds; ``deadline``,
    ``renew_at`` and ``revalidate_at`` are monotonic. ``first`` is whether it is only a step to an access token,
    ``in_doubt`` whether it may have been revoked unheard. ``live`` is whether the cache still has it;
    until ``held_until`` (monotonic) it need not be looked up again.
    """

    access_token: AccessToken = field(repr=False)
    owner: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    request: bytes = field(repr=False)
    bound: float
    expires_at: float
    deadline: float
    renew_at: float
    revalidate_at: float
    maker: bytes = field(repr=False)
    first: bool = False
    live: bool = True
    in_doubt: bool = False
    held_until: float = 0.0


class Loan(NamedTuple):
    """An entry for a token of the same session that it was not made with, to be asked about itself at ``ask_at``."""

    entry: Entry
    ask_at: float  # monotonic


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


class Entries(TLRUCache[bytes, Entry]):
    """Entries by digest. The ended leave first, then the least recently used.

    An owner whose share is used up makes room among his own, the oldest first. Looking an entry up is
    ``entries[digest]``, KeyError where there is none; adding and removing go by the methods named so.
    """

    def __init__(self, max_entries: int, clock: Clock) -> None:
        super().__init__(max_entries, lambda _, entry, __: entry.deadline, timer=clock.monotonic)
        self._share = max(SMALLEST_SHARE, max_entries // OWNERS_PART)
        self._owned: dict[bytes, dict[bytes, None]] = {}
        self.evictions = 0

    @property
    def crowded(self) -> bool:
        """Whether somebody may soon have to go; those who have ended count, for it takes time to look for them."""
        return Cache.__len__(self) > self.maxsize * 3 // 4

    def add(self, digest: bytes, entry: Entry) -> None:
        self.remove(digest)
        owned = self._owned.get(entry.owner, {})
        if len(owned) >= self._share:
            self.evictions += 1
            self.remove(next(iter(owned)))
        self[digest] = entry
        if digest in self:  # time goes on: it may have ended by now
            self._owned.setdefault(entry.owner, {})[digest] = None

    def remove(self, digest: bytes) -> None:
        with suppress(KeyError):  # raised for what was not there, and for what was but had ended
            del self[digest]

    def remove_owned(self, owner: bytes) -> int:
        """How many entries the owner had."""
        self.expire()
        owned = tuple(self._owned.get(owner, ()))
        for digest in owned:
            self.remove(digest)
        return len(owned)

    def all(self) -> Iterator[Entry]:
        """Every entry, whether or not it has ended; none counts as used."""
        return (Cache.__getitem__(self, digest) for owned in self._owned.values() for digest in owned)

    def popitem(self) -> tuple[bytes, Entry]:
        """The entry that leaves for another (called by ``cachetools``)."""
        self.evictions += 1
        return super().popitem()

    def expire(self, time: float | None = None) -> list[tuple[bytes, Entry]]:
        """The entries that have ended (called by ``cachetools``)."""
        expired = list(super().expire(time))
        for digest, entry in expired:
            self._let_go(digest, entry)
        return expired

    def __delitem__(self, digest: bytes) -> None:
        self._let_go(digest, Cache.__getitem__(self, digest))
        super().__delitem__(digest)

    def _let_go(self, digest: bytes, entry: Entry) -> None:
        entry.live = False
        owned = self._owned.get(entry.owner, {})
        owned.pop(digest, None)
        if not owned:
            self._owned.pop(entry.owner, None)
