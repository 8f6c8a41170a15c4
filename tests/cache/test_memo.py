"""What is served from a note, and when a look-up is needed again."""

import gc
import sys
from math import inf

import pytest

from proxy.cache.entries import Entry
from proxy.cache.memo import MOST_NOTES, Memo

from ..support.caching import START, make_access_token, make_subject_token
from ..support.issuer import StillClock

ALICE = make_subject_token("alice")


def make_entry(**changes: object) -> Entry:
    """Good for an hour, to be renewed after half of it."""
    return Entry(
        **{
            "access_token": make_access_token("t"),
            "owner": b"owner",
            "digest": b"digest",
            "bound": START + 3600,
            "expires_at": START + 3600,
            "deadline": 3600.0,
            "renew_at": 1800.0,
            "revalidate_at": 1800.0,
            "maker": b"asker",
        }
        | changes
    )


@pytest.mark.parametrize(
    ("entry", "ask_at", "found"),
    [
        ({}, inf, True),
        ({"live": False}, inf, False),
        ({"renew_at": 0.0}, inf, False),
        ({}, 0.0, False),
        ({"expires_at": START}, inf, False),
        ({"deadline": 0.0, "renew_at": inf}, inf, False),
    ],
    ids=[
        "fresh",
        "left the cache",
        "due",
        "another's, to be asked about",
        "ended by the wall clock",
        "ended by the monotonic clock",
    ],
)
@pytest.mark.parametrize("subject_token", [ALICE, None], ids=["user", "nobody"])
def test_a_note_serves_what_a_look_up_would_serve(subject_token, entry, ask_at, found):
    """C-12: by both clocks, at every use."""
    memo, entry = Memo(StillClock()), make_entry(**entry)
    memo.note(subject_token, entry, ask_at)
    assert memo.recall(subject_token) is (entry if found else None)


def test_a_note_belongs_to_one_token():
    """C-02: not to another token of the same content, nor to nobody; forgotten, it is gone."""
    memo = Memo(StillClock())
    memo.note(ALICE, make_entry(), inf)
    assert memo.recall(make_subject_token("alice")) is None
    assert memo.recall(None) is None
    memo.forget(ALICE)
    memo.forget(ALICE)
    assert memo.recall(ALICE) is None


def test_a_note_goes_with_its_token():
    """C-17: the memo keeps no token and no entry."""
    memo, token, entry = Memo(StillClock()), make_subject_token("alice"), make_entry()
    references = sys.getrefcount(entry), sys.getrefcount(memo)
    memo.note(token, entry, inf)
    gc.disable()
    try:
        del token
        assert (sys.getrefcount(entry), sys.getrefcount(memo)) == references
    finally:
        gc.enable()


@pytest.mark.parametrize("of_nobody", [False, True], ids=["user", "nobody"])
def test_a_note_keeps_no_entry(of_nobody: bool):
    """C-17: what has left the cache leaves the memory, however long its token stays."""
    memo, token, entry = Memo(StillClock()), None if of_nobody else make_subject_token("alice"), make_entry()
    access_token = entry.access_token
    kept = sys.getrefcount(access_token)
    memo.note(token, entry, inf)
    gc.disable()
    try:
        del entry
        assert sys.getrefcount(access_token) == kept - 1
    finally:
        gc.enable()
    assert memo.recall(token) is None


def test_a_token_has_few_notes():
    """C-17: however many routes there are, those that were found last are noted."""
    token, entry = make_subject_token("alice"), make_entry()
    memos = [Memo(StillClock()) for _ in range(2 * MOST_NOTES)]
    for _ in range(2):
        for memo in memos:
            memo.note(token, entry, inf)
            assert memo.recall(token) is entry
    assert len(token.notes) == MOST_NOTES
    assert not gc.is_tracked(token.notes)
