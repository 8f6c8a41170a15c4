"""The memo of cache hits: a subject token that has just been served is served again without a look-up."""

from __future__ import annotations

from typing import Final
from weakref import ref

from ..authentication.subject_token import SubjectToken
from ..runtime import Clock, keep_from_collector
from .entries import Entry

MOST_NOTES: Final = 16  # of one subject token: a user of more routes than that is looked up more often


class Note:
    """Where the entry is that serves a subject token, until the token is to be asked about by itself at ``ask_at``.

    It keeps none: an access token that has left the cache leaves the memory, however long the subject token stays.
    """

    __slots__ = ("ask_at", "entry")

    def __init__(self, entry: ref[Entry], ask_at: float) -> None:
        """``ask_at`` is monotonic."""
        self.entry = entry
        self.ask_at = ask_at


class Memo:
    """By subject token, the entry that the last look-up found under one request for access tokens.

    A look-up hashes the parts of the cache key, finds the entry by it and asks whether the token was refused:
    some microseconds. A hit by the memo is one dictionary look-up and two clocks, a quarter of that. Nothing
    becomes more valid by it: both clocks are read at every use, and an entry that has left the cache says so.

    A note belongs to one token object, whose content never changes: it stands there, and goes when that goes. There are
    at most ``MOST_NOTES`` of one, the oldest leaving first.
    Routes that ask for the same access token share a memo, so that a refusal met on one of them is known to all.
    """

    def __init__(self, clock: Clock) -> None:
        self._time, self._monotonic = clock.time, clock.monotonic
        self._of_nobody: Note | None = None  # for requests without a user

    def recall(self, subject_token: SubjectToken | None) -> Entry | None:
        """The entry, where a look-up would find it and have no cause to renew it; changes nothing."""
        note: Note | None = self._of_nobody if subject_token is None else subject_token.notes.get(self)
        if note is None:
            return None
        entry = note.entry()
        if entry is None:
            return None
        now = self._monotonic()
        current = entry.live and now < entry.renew_at and now < note.ask_at and now < entry.deadline
        return entry if current and self._time() < entry.expires_at else None

    def note(self, subject_token: SubjectToken | None, entry: Entry, ask_at: float) -> None:
        """A look-up has found ``entry``."""
        note = Note(ref(entry), ask_at)
        if subject_token is None:
            self._of_nobody = note
            return
        notes = subject_token.notes
        if len(notes) >= MOST_NOTES and self not in notes:
            del notes[next(iter(notes))]
        notes[self] = note
        keep_from_collector(note.entry, note, notes)

    def forget(self, subject_token: SubjectToken | None) -> None:
        """A look-up has found nothing, or the token was refused."""
        if subject_token is None:
            self._of_nobody = None
        else:
            subject_token.notes.pop(self, None)
