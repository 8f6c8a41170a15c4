"""The breaker by a clock that is set by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from proxy.exchange.circuit_breaker import ASKERS, FAILURES, MOST_PAUSES, PAUSE, PROBE_EVERY, Breaker

from ..support.issuer import StillClock


def name(asker: int) -> bytes:
    return b"user %d" % asker


def make_open(clock: StillClock) -> Breaker:
    breaker = Breaker(clock)
    for asker in range(FAILURES):
        assert breaker.admit(name(asker)) == 0
        breaker.failed(name(asker))
    return breaker


def count_admitted(breaker: Breaker, first: int) -> int:
    """Of a hundred askers from ``first`` on."""
    return [breaker.admit(name(asker)) for asker in range(first, first + 100)].count(0)


def test_it_opens_after_failures_in_a_row():
    """F-01: a success in between starts the count anew."""
    breaker = Breaker(StillClock())
    for asker in range(FAILURES - 1):
        breaker.failed(name(asker))
    breaker.succeeded(name(9))
    breaker.failed(name(10))
    assert not breaker.open
    assert make_open(StillClock()).open


@pytest.mark.parametrize("askers", range(1, ASKERS + 1))
def test_it_takes_several_askers(askers):
    """F-01: what too few users meet is their trouble, however often they meet it."""
    clock = StillClock()
    breaker = Breaker(clock)
    for number in range(100):
        clock.advance(PAUSE)
        breaker.failed(name(number % askers))
    assert breaker.open is (askers == ASKERS)


def test_who_failed_waits():
    """F-01: he alone, for a moment, and no longer than until a call of his succeeds."""
    clock = StillClock()
    breaker = Breaker(clock)
    breaker.failed(name(1))
    assert breaker.admit(name(1)) == PAUSE
    assert breaker.admit(name(2)) == 0
    clock.advance(PAUSE - 0.5)
    breaker.succeeded(name(2))
    assert breaker.admit(name(1)) == 0.5
    breaker.succeeded(name(1))
    assert breaker.admit(name(1)) == 0


def test_one_probe_at_a_time():
    """F-01: half-open is one call each period, however many ask."""
    clock = StillClock()
    breaker = make_open(clock)
    assert breaker.admit(name(10)) == PROBE_EVERY
    clock.advance(PROBE_EVERY)
    assert count_admitted(breaker, 10) == 1
    clock.advance(PROBE_EVERY)
    breaker.failed(name(10))
    assert count_admitted(breaker, 11) == 1


def test_probes_go_round():
    """F-01: who has just failed leaves the next probe to others, so that one of them can find the server there."""
    clock = StillClock()
    breaker = make_open(clock)
    probed = []
    for _ in range(20):
        clock.advance(PROBE_EVERY)
        asker = next(asker for asker in (11, 12, 13) if breaker.admit(name(asker)) == 0)
        breaker.failed(name(asker))
        probed.append(asker)
    assert all(before != after for before, after in pairwise(probed))


def test_a_probe_that_succeeds_closes_it():
    """F-01: back within the probe's period, for those too who failed while the server was gone."""
    clock = StillClock()
    breaker = make_open(clock)
    clock.advance(PROBE_EVERY)
    assert breaker.admit(name(10)) == 0
    breaker.succeeded(name(10))
    assert count_admitted(breaker, 0) == 100


def test_the_memory_of_failures_is_bounded():
    """F-36: whoever fails."""
    breaker = Breaker(StillClock())
    for asker in range(MOST_PAUSES + 10):
        breaker.failed(name(asker))
    assert len(breaker._pauses) == MOST_PAUSES
