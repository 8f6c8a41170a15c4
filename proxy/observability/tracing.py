"""Traces, where they are wanted: the port; ``opentelemetry_spans`` implements it with the extra ``otel``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from ..exchange.record import ExchangeRecord
from ..gateway.observer import Observer

Forward = Callable[[Any, Any], Awaitable[None]]  # by the parts, for a downstream
Serve = Callable[[Any, Forward], Awaitable[None]]  # a downstream, by forwarding it


class Tracing(Observer, ABC):
    """What makes spans; as an observer of gateways, one for each call to an upstream, which carries the trace on."""

    @abstractmethod
    def trace_requests(self, serve: Serve) -> Serve:
        """``serve`` with a span around each request, which continues the caller's trace."""

    @abstractmethod
    def note_exchange(self, record: ExchangeRecord) -> None:
        """An exchange has just ended, within the request that began it."""

    @abstractmethod
    async def aclose(self) -> None:
        """Send what is left."""
