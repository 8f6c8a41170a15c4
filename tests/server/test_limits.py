"""How much of everything a connection may ask for."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from proxy.config.models import Listen
from proxy.server.limits import Limits

CONFIGURED = {
    "max_header_bytes": 1,
    "max_header_fields": 2,
    "max_connections": 3,
    "header_timeout": 4.0,
    "keep_alive_timeout": 5.0,
}


def test_what_is_configured_counts():
    """H-39, F-30: each key of ``listen`` reaches its limit."""
    limits = Limits.of(Listen(**CONFIGURED))
    assert {name: getattr(limits, name) for name in CONFIGURED} == CONFIGURED


def test_what_is_not_configured_is_bounded_all_the_same():
    """F-36: there is no limit without a value."""
    limits = Limits.of(Listen())
    assert all(getattr(limits, field.name) > 0 for field in fields(limits))


@pytest.mark.parametrize(("rate", "seconds", "least"), [(1024.0, 60.0, 61_440.0), (10.0, 0.5, 5.0)])
def test_what_a_slow_peer_takes_at_least(rate: float, seconds: float, least: float):
    """F-23: in the time that it has."""
    limits = replace(Limits.of(Listen()), least_rate=rate, write_timeout=seconds)
    assert limits.least_taken == least
