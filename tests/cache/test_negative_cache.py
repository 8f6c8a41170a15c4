"""Refusals remembered for a short while."""

from __future__ import annotations

import pytest

from proxy.cache.negative_cache import Refusals
from proxy.errors import (
    AuthorizationServerUnavailable,
    ExchangeDenied,
    ExchangeMisconfigured,
    ProxyError,
    SubjectTokenRefused,
)
from proxy.runtime import STEPS

from ..support.issuer import StillClock

TOKEN, ROUTE = b"token", b"route"
REFUSED = SubjectTokenRefused("over", remember_for=30, remember_by="subject_token")


def remember(error: ProxyError, max_entries: int = 8) -> tuple[Refusals, StillClock]:
    clock = StillClock()
    refusals = Refusals(max_entries, clock)
    refusals.remember(error, subject_token=TOKEN, route=ROUTE)
    return refusals, clock


@pytest.mark.parametrize(
    ("error", "key", "seconds"),
    [
        (REFUSED, TOKEN, 30),
        (ExchangeDenied(remember_for=5, remember_by="subject_token"), TOKEN, 5),
        (ExchangeDenied(remember_for=1e9, remember_by="subject_token"), TOKEN, 30),
        (ExchangeMisconfigured(remember_for=10, remember_by="route"), ROUTE, 10),
        (ExchangeMisconfigured(remember_for=60, remember_by="route"), ROUTE, 10),
    ],
    ids=["the usual time", "shorter", "too long", "of a route", "too long of a route"],
)
def test_how_long_a_refusal_is_remembered(error: ProxyError, key: bytes, seconds: float):
    """C-18: as long as it says and no longer than is right, and for nobody else."""
    refusals, clock = remember(error)
    other = ROUTE if key == TOKEN else TOKEN
    clock.advance(seconds - 0.1)
    assert type(refusals.recall(key)) is type(error)
    assert refusals.recall(other) is None
    clock.advance(0.2)
    assert refusals.recall(key) is None


@pytest.mark.parametrize(
    "error",
    [
        AuthorizationServerUnavailable("away", retry_after=30),
        ExchangeDenied(remember_for=0, remember_by="subject_token"),
        ExchangeMisconfigured(remember_for=30),
    ],
    ids=["no verdict", "for no time", "of nobody"],
)
def test_what_says_nothing_is_not_remembered(error: ProxyError):
    """C-18: neither by the token nor by the route."""
    refusals, _ = remember(error)
    assert refusals.recall(TOKEN) is refusals.recall(ROUTE) is None


def test_each_recall_is_an_instance_of_its_own():
    """What one request raises, with its traceback, is not held by the next; all that it says is."""
    refusals, _ = remember(REFUSED)
    first, second = refusals.recall(TOKEN), refusals.recall(TOKEN)
    assert first is not second
    assert first is not REFUSED
    assert (str(first), vars(first)) == (str(REFUSED), vars(REFUSED))


def test_a_wall_clock_that_jumps_changes_nothing():
    """F-35: it is counted in seconds that have passed."""
    refusals, clock = remember(REFUSED)
    clock.now -= 3600
    assert refusals.recall(TOKEN) is not None
    clock.passed += 31
    assert refusals.recall(TOKEN) is None


def test_refusals_have_a_bound():
    """C-17, C-18: the oldest of a token leaves; those of routes are met by everybody, and stay."""
    refusals, _ = remember(REFUSED, max_entries=2)
    refusals.remember(
        ExchangeMisconfigured(remember_for=10, remember_by="route"), subject_token=TOKEN, route=ROUTE
    )
    for token in (b"second", b"third"):
        refusals.remember(REFUSED, subject_token=token, route=ROUTE)
    assert len(refusals) == 3
    assert [refusals.recall(key) is None for key in (TOKEN, b"second", b"third", ROUTE)] == [
        True,
        *[False] * 3,
    ]


def test_refusals_that_end_together_leave_a_few_at_a_time():
    """C-17: at most ``STEPS`` with each that comes, however many there are."""
    most = 10 * STEPS
    refusals, clock = remember(REFUSED, max_entries=most)
    for number in range(1, most):
        refusals.remember(REFUSED, subject_token=b"%d" % number, route=ROUTE)
    clock.advance(31)
    refusals.remember(REFUSED, subject_token=b"next", route=ROUTE)
    assert len(refusals) == most - STEPS + 1


async def test_all_refusals_are_let_go():
    refusals, _ = remember(REFUSED)
    await refusals.aclose()
    assert (len(refusals), refusals.recall(TOKEN)) == (0, None)
