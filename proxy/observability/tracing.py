"""Traces, where they are wanted: a port, and its OpenTelemetry side (the extra ``otel``) in ``spans``.

Chosen where the parts are wired: without an endpoint OpenTelemetry is not imported, and no request asks for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..config import models
from ..config.faults import ConfigurationError, Fault
from ..exchange.record import ExchangeRecord
from ..upstream import Upstream
from ..upstream.websocket import WebSocketUpstream

__all__ = ["Forward", "Serve", "Tracing", "build_tracing"]

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

    def build_upstream(self, url: str, **settings: Any) -> Upstream:
        """An upstream whose requests carry the trace on."""
        ...

    def build_websockets(self, *settings: Any) -> WebSocketUpstream:
        """The same for handshakes."""
        ...

    async def aclose(self) -> None:
        """Send what is left."""
        ...


def build_tracing(settings: models.Tracing) -> Tracing | None:
    """None where nothing is traced: OpenTelemetry is not even imported then. Raises ConfigurationError."""
    if settings.otlp_endpoint is None:
        return None
    try:
        from .opentelemetry_spans import Spans  # noqa: PLC0415 - an extra, needed here alone
    except ImportError as error:
        message = "needs OpenTelemetry: pip install 'obo-proxy[otel]'"
        raise ConfigurationError((Fault("tracing.otlp_endpoint", message),)) from error
    try:
        return Spans(settings.otlp_endpoint)
    except ValueError as error:
        raise ConfigurationError((Fault("tracing.otlp_endpoint", str(error)),)) from error
