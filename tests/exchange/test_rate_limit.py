"""The gate by a clock that is set by hand."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from proxy.exchange.answer import Answer
from proxy.exchange.rate_limit import RateGate, RateLimit

from ..support.issuer import NOW, StillClock


def limits(limit: int, remaining: int, reset_in: float) -> dict[str, str]:
    return {
        "x-rate-limit-limit": str(limit),
        "x-rate-limit-remaining": str(remaining),
        "x-rate-limit-reset": str(int(NOW + reset_in)),
    }


@pytest.mark.parametrize(
    ("status", "headers", "held"),
    [
        pytest.param(200, {}, 0, id="fine"),
        pytest.param(400, {"retry-after": "9"}, 0, id="another refusal"),
        pytest.param(429, {}, 1, id="429 without a word"),
        pytest.param(429, limits(600, 0, 3), 3, id="429 with Okta's reset"),
        pytest.param(429, limits(0, 0, 30), 30, id="X-23 concurrent limit"),
        pytest.param(429, {"retry-after": "7"}, 7, id="X-24 seconds"),
        pytest.param(429, {"retry-after": formatdate(NOW + 5, usegmt=True)}, 5, id="X-24 HTTP-date"),
        pytest.param(429, {"retry-after": "999999"}, 120, id="X-24 clamped"),
        pytest.param(429, {"retry-after": "0"}, 1, id="at least a second"),
        pytest.param(429, {"retry-after": formatdate(NOW - 50, usegmt=True)}, 1, id="a time gone by"),
        pytest.param(429, {"retry-after": "soon"}, 1, id="no time at all"),
        pytest.param(429, {"retry-after": "9" * 50}, 1, id="no sane number"),
        pytest.param(503, {}, 0, id="503 without a word"),
        pytest.param(503, {"retry-after": "4"}, 4, id="503 with Retry-After"),
        pytest.param(503, limits(600, 0, 8), 8, id="503 with the limit spent"),
        pytest.param(503, limits(600, 599, 40), 0, id="503 with an untouched limit"),
    ],
)
def test_what_closes_the_gate(status, headers, held):
    """X-23, X-24: for how many seconds."""
    gate = RateGate(StillClock())
    gate.observe(Answer(status, headers))
    assert gate.closed_for() == pytest.approx(held, abs=1)
    assert bool(gate.closed_for()) == bool(held)


def test_it_opens_when_the_time_has_come():
    """X-23: and not before; a shorter wish does not shorten it."""
    clock = StillClock()
    gate = RateGate(clock)
    gate.observe(Answer(429, {"retry-after": "3"}))
    gate.observe(Answer(429, {"retry-after": "1"}))
    clock.advance(2.9)
    assert gate.closed_for() == pytest.approx(0.1)
    clock.advance(0.1)
    assert gate.closed_for() == 0


def test_the_servers_own_clock_counts():
    """X-23: the reset is told in its time, which ours may be minutes away from."""
    gate = RateGate(StillClock(now=NOW + 600))
    gate.observe(Answer(429, limits(600, 0, 3) | {"date": formatdate(NOW, usegmt=True)}))
    assert gate.closed_for() == pytest.approx(3, abs=1)


def test_one_users_limit_closes_nothing():
    """X-23: the per-user kind is only for that user."""
    gate = RateGate(StillClock())
    gate.observe(Answer(429), per_user=True)
    assert gate.closed_for() == 0


def test_what_is_left_is_spread():
    """X-23: below a tenth of the limit, calls are paced until the reset; beyond one's patience, none."""
    clock = StillClock(now=float(int(NOW)))
    gate = RateGate(clock)
    assert gate.take_slot(5) == 0
    gate.observe(Answer(200, limits(100, 10, 60)))
    assert [gate.take_slot(5) for _ in range(3)] == [0, 0, 0]
    gate.observe(Answer(200, limits(100, 9, 20)))
    assert gate.rate_limit == RateLimit(100, 9, clock.time() + 20)
    assert [gate.take_slot(5) for _ in range(4)] == [0, 2, 4, None]
    clock.advance(6)
    assert gate.take_slot(5) == 0
    clock.advance(20)
    assert [gate.take_slot(5) for _ in range(3)] == [0, 0, 0]
