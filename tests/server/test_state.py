"""What the connections of one listener share."""

from __future__ import annotations

import logging

import pytest

from proxy.errors import HeaderTooLarge, ProxyError
from proxy.server.state import OnlyLogged, State

from .apps import USUAL_LIMITS, Recorder


def make(connections: int) -> State:
    """A listener for as many as ``max_connections``, with ``connections`` of them."""
    state = State(Recorder(), USUAL_LIMITS, OnlyLogged())
    state.connections.update(object() for _ in range(connections))  # type: ignore[arg-type]
    return state


MOST = USUAL_LIMITS.max_connections


@pytest.mark.parametrize(
    ("connections", "beside", "overloaded", "flooded"),
    [
        (0, 0, False, False),
        (MOST, 0, False, False),
        (MOST + 1, 0, True, False),
        (MOST + 256, 0, True, False),
        (MOST + 257, 0, True, True),
        (MOST, 256, False, False),
        (MOST, 257, False, True),
        (0, MOST + 257, False, True),
    ],
)
def test_when_there_are_too_many(connections: int, beside: int, overloaded: bool, flooded: bool):
    """F-30, F-37: a few beyond the limit are told so, more are cut; handshakes under way count for the latter."""
    state = make(connections)
    assert state.overloaded is overloaded
    assert state.is_flooded(beside=beside) is flooded


def test_the_connections_there_are_now():
    """One that ends while they are gone through does no harm."""
    state = make(3)
    live = state.live()
    state.connections.clear()
    assert len(live) == 3


@pytest.mark.parametrize(
    "error", [HeaderTooLarge("canary"), ProxyError("canary")], ids=["refused", "a fault"]
)
def test_where_nothing_is_counted_it_is_logged(error: ProxyError, caplog: pytest.LogCaptureFixture):
    """O-04: with its reason, which the caller does not see."""
    with caplog.at_level(logging.INFO):
        _, _, body = OnlyLogged().refuse(error, method="GET", request_id="r-1", begun=False)
    (line,) = caplog.records
    assert (line.reason, line.request_id, line.status) == ("canary", "r-1", error.status)
    assert b"canary" not in body
