"""What is kept for a fixed while, and how it leaves."""

from __future__ import annotations

from proxy.cache.recent import Recent
from proxy.runtime import STEPS

from ..support.issuer import StillClock


def name(number: int) -> bytes:
    return b"%d" % number


def test_a_value_is_kept_for_its_time():
    """Putting it again begins anew."""
    clock = StillClock()
    recent: Recent[str] = Recent(10, 5.0, clock)
    recent.keep(b"a", "first")
    clock.advance(4.9)
    assert recent.get(b"a") == "first"
    recent.keep(b"a", "second")
    clock.advance(4.9)
    assert recent.get(b"a") == "second"
    clock.advance(0.1)
    assert (recent.get(b"a"), recent.get(b"b")) == (None, None)


def test_the_oldest_leaves_first_where_there_are_too_many():
    recent: Recent[int] = Recent(3, 5.0, StillClock())
    for number in (0, 1, 2, 0, 3):
        recent.keep(name(number), number)
    assert [recent.get(name(number)) for number in range(4)] == [0, None, 2, 3]
    assert len(recent) == 3


def test_a_value_may_be_kept_for_less_long():
    """And for no longer than any."""
    clock = StillClock()
    recent: Recent[int] = Recent(10, 5.0, clock)
    for seconds in (1, 9):
        recent.keep(name(seconds), seconds, seconds)
    clock.advance(1)
    assert (recent.get(name(1)), recent.get(name(9)), list(recent.keys())) == (None, 9, [name(9)])
    clock.advance(4)
    assert (recent.get(name(9)), list(recent.keys())) == (None, [])


def test_a_value_may_be_forgotten():
    recent: Recent[int] = Recent(10, 5.0, StillClock())
    recent.keep(b"a", 1)
    recent.forget(b"a")
    recent.forget(b"b")
    assert (recent.get(b"a"), len(recent)) == (None, 0)


def test_many_values_are_bounded_all_the_same():
    """F-36: they are in segments; one of the oldest leaves for each that comes."""
    recent: Recent[int] = Recent(10_000, 5.0, StillClock())
    for number in range(20_000):
        recent.keep(name(number), number)
    assert len(recent) == 10_000
    assert sum(recent.get(name(number)) is not None for number in range(10_000, 20_000)) > 9000


def test_what_ends_together_leaves_a_few_at_a_time():
    """C-17: at most ``STEPS`` with each that comes; none of it is given meanwhile."""
    clock = StillClock()
    recent: Recent[int] = Recent(10 * STEPS, 5.0, clock)
    for number in range(10 * STEPS):
        recent.keep(name(number), number)
    clock.advance(6)
    assert recent.get(name(9)) is None
    left = []
    for number in range(10):
        recent.keep(name(number), number)
        left.append(len(recent))
    assert left[0] > 9 * STEPS - 2
    assert left[-1] <= 10
