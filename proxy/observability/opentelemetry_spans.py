"""OpenTelemetry: one span for a request, one for its exchange, one for each call to its upstream.

Attributes are names from the configuration, codes and statuses; nothing of a token, a user or a path.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..downstream.request import Downstream
from ..errors import ProxyError
from ..exchange.record import ExchangeRecord
from ..gateway.upstream_request import A, Transmit, UpstreamRequest
from ..http.headers import Field
from ..http.trace_context import TRACEPARENT, TRACESTATE, build_trace_fields
from .tracing import Forward, Serve, Tracing

EXPORT_TIMEOUT: Final = 2.0  # s: no end of the process waits longer for a collector that is away
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})  # others are "_OTHER"
_EXCHANGE_FIELDS = (
    *("authorization_server", "client_id", "grant", "leg", "audience", "scopes", "outcome", "tries"),
    *("status", "oauth_error", "okta_request_id"),
)
_propagator = TraceContextTextMapPropagator()


class Spans(Tracing):
    """Makes spans and sends them to ``endpoint``, an OTLP/HTTP collector; ValueError where that is no URL."""

    def __init__(self, endpoint: str) -> None:
        session = requests.Session()
        session.trust_env = False  # proxies and credentials come from the configuration, or not at all
        exporter = OTLPSpanExporter(_build_url(endpoint), timeout=EXPORT_TIMEOUT, session=session)
        resource = Resource.create({"service.name": "obo-proxy", "service.version": version("obo-proxy")})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("obo-proxy")

    def trace_requests(self, serve: Serve) -> Serve:
        """``serve`` with a span around each request, which continues the caller's trace."""

        async def traced(downstream: Downstream, forward: Forward) -> None:
            with self._open_request(downstream) as span:
                await serve(downstream, _note_refusals(forward, span))

        return traced

    def note_exchange(self, record: ExchangeRecord) -> None:
        """A span for an exchange that has just ended, below the request that began it."""
        fields = record.fields()
        now = time.time_ns()
        span = self._tracer.start_span(
            f"exchange {record.request.grant}",
            kind=SpanKind.CLIENT,
            attributes={f"obo.{name}": fields[name] for name in _EXCHANGE_FIELDS if fields[name] is not None},
            start_time=now - int(record.seconds * 1e9),
        )
        if record.error is not None:
            span.set_status(StatusCode.ERROR)
        span.end(now)

    def watch_transmit(self, transmit: Transmit[A]) -> Transmit[A]:
        """A span for each call, whose fields make it the parent of the upstream's."""

        async def traced(request: UpstreamRequest, fields: list[Field]) -> A:
            with _open_call(self._tracer, request.method, str(request.route.upstream.origin)) as span:
                answer = await transmit(request, [*fields, *_inject()])
                _note_status(span, answer.status)
            return answer

        return traced

    async def aclose(self) -> None:
        """Send what is left."""
        await asyncio.to_thread(self._provider.shutdown)

    @contextmanager
    def _open_request(self, downstream: Downstream) -> Iterator[Span]:
        carrier = {
            name.decode("ascii"): value.decode("ascii")
            for name, value in build_trace_fields(downstream.ended)
            if not downstream.shows(value)
        }
        for name in (TRACEPARENT, TRACESTATE):  # ours go on instead
            downstream.ended.pop(name, None)
        method = _show_method(downstream.method)
        with self._tracer.start_as_current_span(
            method,
            context=_propagator.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "obo.request_id": downstream.request_id},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield span
            span.update_name(f"{method} {downstream.route}".rstrip())
            span.set_attributes({"obo.route": downstream.route, "obo.departed": downstream.departed})
            _note_status(span, downstream.status)


@contextmanager
def _open_call(tracer: Tracer, method: str, origin: str) -> Iterator[Span]:
    """A span until the head of the response is there."""
    shown = _show_method(method)
    with tracer.start_as_current_span(
        shown,
        kind=SpanKind.CLIENT,
        attributes={"http.request.method": shown, "server.address": origin},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except ProxyError as error:
            _note_error(span, error)
            raise


def _note_refusals(forward: Forward, span: Span) -> Forward:
    async def noted(parts: Any, downstream: Any) -> None:
        try:
            await forward(parts, downstream)
        except ProxyError as error:
            _note_error(span, error)
            raise

    return noted


def _note_error(span: Span, error: ProxyError) -> None:
    span.set_attribute("error.type", error.code)


def _note_status(span: Span, status: int) -> None:
    if status:
        span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(StatusCode.ERROR)


def _inject() -> list[Field]:
    """The fields that make the current span the parent of the upstream's."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in carrier.items()]


def _show_method(method: str) -> str:
    return method if method in _METHODS else "_OTHER"


def _build_url(endpoint: str) -> str:
    """The URL for traces: OTLP's own path where ``endpoint`` names a collector alone."""
    url = urlsplit(endpoint)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("not an absolute http or https URL")
    return endpoint if url.path not in ("", "/") else url._replace(path="/v1/traces").geturl()
