"""What time a body's pieces buy."""

from __future__ import annotations

from dataclasses import replace

from proxy.server.deadlines import NEVER
from proxy.server.http2.patience import Patience
from tests.server.apps import USUAL_LIMITS

LIMITS = replace(USUAL_LIMITS, body_timeout=10.0, least_rate=100.0)


def test_time_runs_only_while_it_is_waited_for():
    patience = Patience(LIMITS)
    assert patience.deadline == NEVER
    patience.run(100.0)
    assert patience.deadline == 110.0
    patience.run(105.0)  # it already does
    assert patience.deadline == 110.0
    patience.extend(0, 104.0)
    assert patience.deadline == NEVER
    patience.run(1000.0)
    assert patience.deadline == 1006.0


def test_a_piece_buys_what_its_rate_explains():
    patience = Patience(LIMITS)
    patience.run(100.0)
    patience.extend(200, 107.0)
    patience.run(107.0)
    assert patience.deadline == 112.0


def test_time_is_not_saved_up():
    patience = Patience(LIMITS)
    patience.extend(10**6, 100.0)
    patience.run(100.0)
    assert patience.deadline == 110.0


def test_a_body_that_is_whole_has_none():
    patience = Patience(LIMITS)
    patience.run(100.0)
    patience.end()
    assert patience.deadline == NEVER
