"""The breaker by a clock that is set by hand."""

from __future__ import annotations

from proxy.breaker import FAILURES, PROBE_EVERY, Breaker

from .support.issuer import StillClock


def make_open(clock: StillClock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        assert breaker.admit()
        breaker.failed()
    return breaker


def test_it_opens_after_failures_in_a_row():
    """F-01: a success in between starts the count anew."""
    breaker = Breaker(StillClock())
    for _ in range(FAILURES - 1):
        breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert not breaker.open
    assert make_open(StillClock()).open


def test_one_probe_at_a_time():
    """F-01: half-open is one call each period, however many ask."""
    clock = StillClock()
    breaker = make_open(clock)
    assert not breaker.admit()
    clock.advance(PROBE_EVERY)
    assert [breaker.admit() for _ in range(100)].count(True) == 1
    clock.advance(PROBE_EVERY)
    breaker.failed()
    assert [breaker.admit() for _ in range(100)].count(True) == 1


def test_a_probe_that_succeeds_closes_it():
    """F-01: back within the probe's period."""
    clock = StillClock()
    breaker = make_open(clock)
    clock.advance(PROBE_EVERY)
    assert breaker.admit()
    breaker.succeeded()
    assert all(breaker.admit() for _ in range(100))
