"""Tokens that were taken."""

from __future__ import annotations

from proxy.signals.once import REMEMBERED_FOR, Once, build_name
from tests.support.issuer import StillClock


def test_each_is_taken_until_it_cannot_be_believed_any_more():
    """By issuer and jti, and no two of them alike."""
    clock = StillClock()
    once = Once(clock)
    one, two = build_name("https://o", "1"), build_name("https://o1", "")
    once.take(one)
    assert (once.is_taken(one), once.is_taken(two)) == (True, False)
    once.take(two)
    once.give_back(two)
    assert not once.is_taken(two)
    assert once.all() == (one,)
    clock.advance(REMEMBERED_FOR)
    assert not once.is_taken(one)
    assert once.all() == ()
