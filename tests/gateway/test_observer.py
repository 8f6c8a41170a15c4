"""Steps of a gateway that somebody watches, and those that nobody does."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from proxy.gateway.gateway import Gateway
from proxy.gateway.observer import Observer
from proxy.http.forwarding import Forwarding
from proxy.http.routes import RouteTable
from proxy.observability.server_timing import ServerTiming
from tests.support.compiled import interpreted


class Watching(Observer):
    """Puts its name around the answer's fields."""

    def __init__(self, name: bytes) -> None:
        self.name = name

    def watch_answer(self, build_fields: Any) -> Any:
        return lambda response: [*build_fields(response), (b"x-watched-by", self.name)]


@pytest.mark.parametrize("watch", ["watch_prepare", "watch_transmit", "watch_answer"])
def test_a_step_that_is_not_watched_stays_as_it_is(watch: str):
    """Nothing is put around it, so it costs nothing."""
    step = object()
    assert getattr(Observer(), watch)(step) is step


def test_each_observer_stands_around_those_before_it():
    """In the order in which they are given."""
    gateway = Gateway(RouteTable([]), Forwarding(), [Watching(b"one"), Watching(b"two")])
    response: Any = type("Response", (), {"headers": []})
    fields = gateway._build_answer_fields(response)
    assert [value for name, value in fields if name == b"x-watched-by"] == [b"one", b"two"]


@interpreted
def test_a_watched_gateway_goes_at_once():
    """A reload leaves nothing for the garbage collector: no step refers back to its gateway."""
    gateway = Gateway(RouteTable([]), Forwarding(), [ServerTiming()])
    gone = weakref.ref(gateway)
    gc.disable()
    try:
        del gateway
        assert gone() is None
    finally:
        gc.enable()
