"""Figures as people read them."""

from __future__ import annotations

import pytest

from proxy.admin import formats


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.04, "0.04"),
        (0.5, "0.5"),
        (3, "3"),
        (12.34, "12.3"),
        (840, "840"),
        (1234, "1.2k"),
        (45678, "46k"),
    ],
)
def test_rates(value, shown):
    """Three digits at most."""
    assert formats.show_rate(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0004, "0.4 ms"),
        (0.063, "63 ms"),
        (1.5, "1.5 s"),
        (45, "45 s"),
        (700, "12 min"),
        (7200, "2 h"),
        (12_000, "3 h 20 min"),
        (86_400, "1 d"),
        (190_000, "2 d 4 h"),
    ],
)
def test_durations(value, shown):
    """In the unit that fits."""
    assert formats.show_seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 %"), (0.5, "50 %"), (0.941, "94.1 %"), (0.9999, "99.9 %"), (1, "100 %")],
)
def test_shares(value, shown):
    """Only all of it is 100 %."""
    assert formats.show_share(value) == shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("sub", "alice", "alice"),
        ("scp", ["a", "b"], '["a", "b"]'),
        ("exp", 0, "0 (1970-01-01 00:00:00 UTC)"),
        ("exp", 1e300, "1e+300"),
        ("ver", 1, "1"),
    ],
)
def test_claims(name, value, shown):
    """Texts as they are, times also as such, the rest as JSON."""
    assert formats.show_claim(name, value) == shown


def test_moments_and_numbers():
    """Times are UTC; thousands stand apart."""
    assert formats.show_time(3661) == "01:01:01"
    assert formats.show_moment(0) == "1970-01-01T00:00:00Z"
    assert formats.show_number(1234567) == "1\u202f234\u202f567"


def test_an_unknown_step_keeps_its_name():
    """A step that the page does not know yet is shown all the same."""
    assert formats.show_step("token") == "The token is well formed"
    assert formats.show_step("new_step") == "new_step"
