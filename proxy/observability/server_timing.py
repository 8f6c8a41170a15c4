"""W3C Server Timing: where a request's time went, told to the caller in ``Server-Timing``.

A gateway of its own, chosen where the parts are wired, so that a request that is not timed pays for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ..downstream.request import Downstream
from ..gateway.gateway import Gateway
from ..gateway.upstream_request import A, Outgoing, Route, Transmit
from ..upstream import Response

# Seconds by step of the request that runs; each request is a task, and has a context, of its own.
_steps: ContextVar[dict[str, float]] = ContextVar("server_timing")


class TimedGateway(Gateway):
    """Tells ``verify`` (the subject token), ``token`` (cache or exchange) and ``upstream`` (until its head)."""

    async def forward(self, downstream: Downstream) -> None:
        _steps.set({})
        await super().forward(downstream)

    async def _prepare(self, route: Route, rest: bytes, downstream: Downstream) -> Outgoing:
        with _timed("verify"):
            return await super()._prepare(route, rest, downstream)

    async def _call(self, outgoing: Outgoing, transmit: Transmit[A]) -> A:
        async def timed(outgoing: Outgoing, credentials: list[tuple[bytes, bytes]]) -> A:
            with _timed("upstream"):
                return await transmit(outgoing, credentials)

        with _timed("token"):  # and the upstream, which is taken off when it is told
            return await super()._call(outgoing, timed)

    def _build_answer_fields(self, response: Response) -> list[tuple[bytes, bytes]]:
        return [
            *super()._build_answer_fields(response),
            (b"server-timing", build_server_timing(_steps.get())),
        ]


def build_server_timing(steps: dict[str, float]) -> bytes:
    """The field's value, in milliseconds; the call's own time is what the upstream did not take."""
    upstream = steps.get("upstream", 0.0)
    told = {
        "obo-verify": steps.get("verify", 0.0),
        "obo-token": max(0.0, steps.get("token", 0.0) - upstream),
        "obo-upstream": upstream,
    }
    return ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in told.items()).encode("ascii")


@contextmanager
def _timed(step: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        steps = _steps.get({})
        steps[step] = steps.get(step, 0.0) + time.monotonic() - began
