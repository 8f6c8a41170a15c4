"""Recent refusals, as the person who looks sees them."""

from __future__ import annotations

import pytest

from proxy import errors
from proxy.errors import ExchangeDenied, NoRoute, ProxyError, SubjectTokenInvalid
from proxy.observability.failures import Failures


def note(failures: Failures, error: ProxyError, now: float = 0.0, route: str = "orders") -> None:
    failures.note(error, route=route, request_id=f"request-{now:.0f}", now=now)


def test_one_kind_takes_one_place():
    """A flood counts up; the last one's request is named, and when it began."""
    failures = Failures()
    for now in range(1000):
        note(failures, NoRoute("no route"), now)
    [failure] = failures
    assert (failure.count, failure.first_at, failure.last_at) == (1000, 0, 999)
    assert (failure.request_id, failure.code, failure.status) == ("request-999", "no_route", 404)


def test_the_latest_comes_first():
    """Iterated from the latest to the oldest, by when each kind was last seen."""
    failures = Failures()
    for now, error in enumerate([NoRoute("a"), ExchangeDenied("b"), NoRoute("a")]):
        note(failures, error, now)
    assert [failure.code for failure in failures] == ["no_route", "exchange_denied"]


@pytest.mark.parametrize(
    ("first", "second", "kinds"),
    [
        (SubjectTokenInvalid("one"), SubjectTokenInvalid("two"), 2),
        (ExchangeDenied("says one", remedy="do"), ExchangeDenied("says two", remedy="do"), 1),
        (ExchangeDenied("says", remedy="do"), ExchangeDenied("says", remedy="do this"), 2),
    ],
    ids=["reasons of ours", "what others say", "remedies"],
)
def test_what_makes_a_kind(first, second, kinds):
    """The remedy tells kinds apart where there is one: a reason may quote what a caller sent."""
    failures = Failures()
    note(failures, first)
    note(failures, second)
    assert len(failures) == kinds


def test_it_is_bounded():
    """The kind that was not seen for longest goes first."""
    failures = Failures(size=3)
    for number in range(5):
        note(failures, SubjectTokenInvalid(f"reason {number}"))
    assert [failure.reason for failure in failures] == ["reason 4", "reason 3", "reason 2"]


def leaves(kind: type[ProxyError]) -> list[type[ProxyError]]:
    found = [leaf for child in kind.__subclasses__() for leaf in leaves(child)]
    return found or [kind]


@pytest.mark.parametrize("kind", leaves(errors.ProxyError), ids=lambda kind: kind.code)
def test_every_refusal_has_a_remedy(kind):
    """Whatever is refused, the page says what usually mends it."""
    assert kind("reason").remedy
