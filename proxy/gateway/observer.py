"""The port for those who watch the steps of a request, such as timings and traces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..downstream.request import Downstream
from ..http.headers import Field
from ..upstream import UpstreamResponse
from .upstream_request import A, Route, Transmit, UpstreamRequest

Prepare = Callable[[Route, bytes, Downstream], Awaitable[UpstreamRequest]]
BuildAnswerFields = Callable[[UpstreamResponse], list[Field]]


class Observer:
    """Puts itself around steps of a gateway when that is built, so that a step which nobody watches costs nothing.

    Each method takes a step and gives what is done in its place. Here that is the step itself.
    """

    def watch_prepare(self, prepare: Prepare) -> Prepare:
        """From the route to the request as it goes upstream; the user is verified in it."""
        return prepare

    def watch_transmit(self, transmit: Transmit[A]) -> Transmit[A]:
        """Until the head of the upstream's answer. Fields may be added to those that show the token."""
        return transmit

    def watch_answer(self, build_fields: BuildAnswerFields) -> BuildAnswerFields:
        """The fields of the response to the caller."""
        return build_fields
