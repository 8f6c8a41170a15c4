"""What is settled about single tokens, and for how many."""

from __future__ import annotations

from proxy.cache.verdicts import Verdicts


def test_what_is_settled_stays():
    """C-18: the first time counts, until the token is asked about."""
    verdicts = Verdicts(10)
    assert verdicts.schedule(b"a", 300.0) == 300.0
    assert verdicts.schedule(b"a", 600.0) == 300.0
    verdicts.postpone(b"a", 305.0)
    assert verdicts.schedule(b"a", 600.0) == 305.0
    verdicts.forget(b"a")
    assert verdicts.schedule(b"a", 600.0) == 600.0
    verdicts.forget(b"nobody")


def test_a_refusal_stays_until_an_exchange_succeeds():
    """C-18: no time that is settled later undoes it."""
    verdicts = Verdicts(10)
    verdicts.refuse(b"a")
    assert verdicts.is_refused(b"a")
    assert verdicts.schedule(b"a", 600.0) < 0
    assert verdicts.is_refused(b"a")
    assert not verdicts.is_refused(b"b")
    verdicts.forget(b"a")
    assert not verdicts.is_refused(b"a")


def test_they_are_bounded():
    """F-36: who was not seen for longest leaves first."""
    verdicts = Verdicts(2)
    verdicts.refuse(b"a")
    verdicts.refuse(b"b")
    verdicts.schedule(b"a", 1.0)
    verdicts.refuse(b"c")
    assert len(verdicts) == 2
    assert [verdicts.is_refused(asker) for asker in (b"a", b"b", b"c")] == [True, False, True]
