"""Traces, where they are wanted: the port; ``opentelemetry_spans`` implements it with the extra ``otel``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..exchange.record import ExchangeRecord
from ..upstream import Origin, Upstream
from ..upstream.websocket import WebSocketUpstream

Forward = Callable[[Any, Any], Awaitable[None]]  # by the parts, for a downstream
Serve = Callable[[Any, Forward], Awaitable[None]]  # a downstream, by forwarding it


class Tracing(Protocol):
    """What makes spans."""

    def trace_requests(self, serve: Serve) -> Serve:
        """``serve`` with a span around each request, which continues the caller's trace."""
        ...

    def note_exchange(self, record: ExchangeRecord) -> None:
        """An exchange has just ended, within the request that began it."""
        ...

    def build_upstream(self, place: str | Origin, **settings: Any) -> Upstream:
        """An upstream whose requests carry the trace on."""
        ...

    def build_websockets(self, *settings: Any) -> WebSocketUpstream:
        """The same for handshakes."""
        ...

    async def aclose(self) -> None:
        """Send what is left."""
        ...
