"""The memo of cache hits: a subject token that has just been served is served again without a look-up."""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary

from ..authentication.subject_token import SubjectToken
from ..runtime import Clock
from .entries import Entry


class Note(NamedTuple):
    """The entry that serves a subject token, until the token is to be asked about by itself at ``ask_at``."""

    entry: Entry
    ask_at: float  # monotonic


class Memo:
    """By subject token, the entry that the last look-up found under one request for access tokens.

    A look-up hashes the parts of the cache key, finds the entry by it and asks whether the token was refused:
    some microseconds. A hit by the memo is one dictionary look-up and two clocks, a quarter of that. Nothing
    becomes more valid by it: both clocks are read at every use, and an entry that has left the cache says so.

    A note belongs to one token object, whose content never changes, and goes when that goes. Routes that ask
    for the same access token share a memo, so that a refusal met on one of them is known to all.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # The memo itself stands for requests without a user.
        self._notes: WeakKeyDictionary[SubjectToken | Memo, Note] = WeakKeyDictionary()

    def recall(self, subject_token: SubjectToken | None) -> Entry | None:
        """The entry, where a look-up would find it and have no cause to renew it; changes nothing."""
        note = self._notes.get(self if subject_token is None else subject_token)
        if note is None:
            return None
        entry, ask_at = note
        now = self._clock.monotonic()
        current = entry.live and now < entry.renew_at and now < ask_at and now < entry.deadline
        return entry if current and self._clock.time() < entry.expires_at else None

    def note(self, subject_token: SubjectToken | None, entry: Entry, ask_at: float) -> None:
        """A look-up has found ``entry``."""
        self._notes[self if subject_token is None else subject_token] = Note(entry, ask_at)

    def forget(self, subject_token: SubjectToken | None) -> None:
        """A look-up has found nothing, or the token was refused."""
        self._notes.pop(self if subject_token is None else subject_token, None)
