"""W3C Server Timing: where a request's time went, told to the caller in ``Server-Timing``."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field

from ..downstream.request import Downstream
from ..gateway.observer import BuildAnswerFields, Observer, Prepare
from ..gateway.upstream_request import A, Route, Transmit, UpstreamRequest
from ..http.headers import Field
from ..upstream import UpstreamResponse


@dataclass(slots=True)
class Times:
    """Seconds that a request has spent so far; the rest of the time since ``began`` (monotonic) went for its token."""

    began: float = field(default_factory=time.monotonic)
    verify: float = 0.0
    upstream: float = 0.0


# Of the request that runs; each request is a task, and has a context, of its own.
_times: ContextVar[Times] = ContextVar("server_timing")


class ServerTiming(Observer):
    """Tells ``verify`` (the subject token), ``token`` (cache or exchange) and ``upstream`` (until its head)."""

    def watch_prepare(self, prepare: Prepare) -> Prepare:
        async def timed(route: Route, rest: bytes, downstream: Downstream) -> UpstreamRequest:
            times = Times()
            _times.set(times)
            request = await prepare(route, rest, downstream)
            times.verify = time.monotonic() - times.began
            return request

        return timed

    def watch_transmit(self, transmit: Transmit[A]) -> Transmit[A]:
        async def timed(request: UpstreamRequest, credentials: list[Field]) -> A:
            began = time.monotonic()
            try:
                return await transmit(request, credentials)
            finally:
                _times.get().upstream += time.monotonic() - began

        return timed

    def watch_answer(self, build_fields: BuildAnswerFields) -> BuildAnswerFields:
        def build(response: UpstreamResponse) -> list[Field]:
            times = _times.get()
            value = build_server_timing(times, time.monotonic() - times.began)
            return [*build_fields(response), (b"server-timing", value)]

        return build


def build_server_timing(times: Times, total: float) -> bytes:
    """The field's value, in milliseconds."""
    told = {
        "obo-verify": times.verify,
        "obo-token": max(0.0, total - times.verify - times.upstream),
        "obo-upstream": times.upstream,
    }
    return ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in told.items()).encode("ascii")
