"""What has ended is found a few at a time."""

from __future__ import annotations

import math

from proxy.cache.ends import Ends
from proxy.runtime import STEPS


def drain(ends: Ends, kept: dict[bytes, float], now: float) -> list[bytes]:
    """What one look finds, discarded as whoever drops it does."""
    found = list(ends.pop_ended(now))
    for digest in found:
        ends.discard(digest, kept.pop(digest))
    return found


def fill(ends_at: dict[bytes, float], began: float = 0.0) -> Ends:
    ends = Ends(began)
    for digest, end in ends_at.items():
        ends.add(digest, end)
    return ends


def test_the_ended_are_found_second_by_second():
    kept = {b"a": 1.5, b"b": 1.9, b"c": 2.0, b"far": 1e300, b"never": math.inf}
    ends = fill(kept)
    assert drain(ends, kept, 1.99) == []
    assert drain(ends, kept, 2.0) == [b"b", b"a"]
    assert drain(ends, kept, 99.0) == [b"c"]
    assert drain(ends, kept, 1e6) == []
    assert len(ends) == 1


def test_a_look_takes_a_bounded_number_of_steps():
    """One step drops something or goes on by a second, also after a night without a look."""
    kept = {b"%d" % number: 50.0 + number % 3 for number in range(5 * STEPS)}
    ends = fill(kept)
    found = [len(drain(ends, kept, 1000.0)) for _ in range(20)]
    assert max(found) <= STEPS
    assert (sum(found), len(ends)) == (5 * STEPS, 0)


def test_nothing_is_left_of_what_is_discarded():
    """However often one is put again at another second."""
    ends = Ends(0.0)
    for second in range(10_000):
        ends.add(b"a", 5.0 + second)
        ends.discard(b"a", 5.0 + second)
    assert len(ends) == 0
