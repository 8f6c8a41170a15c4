"""An OpenTelemetry collector (OTLP over HTTP) that keeps what it is sent."""

from __future__ import annotations

import gzip
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from .scripted_server import Asked, ScriptedServer, answer


class Collector:
    """``spans`` in the order of their ends, each a dict as ``_describe`` makes it."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.resource: dict[str, Any] = {}
        self.bodies: list[bytes] = []
        self.targets: set[str] = set()
        self._server = ScriptedServer(self._receive)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._server.__aexit__(*exception)

    @property
    def url(self) -> str:
        return self._server.url

    def _receive(self, asked: Asked) -> bytes:
        body = gzip.decompress(asked.body) if asked.headers.get("content-encoding") == "gzip" else asked.body
        self.bodies.append(body)
        self.targets.add(asked.target)
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = _read(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                self.spans += [_describe(span) for span in scope_spans.spans]
        return answer(200, body=b"", content_type="application/x-protobuf")


def _describe(span: Any) -> dict[str, Any]:
    return {
        "name": span.name,
        "kind": span.kind,
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "attributes": _read(span.attributes),
        "error": span.status.code == 2,
        "events": len(span.events),
        "seconds": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    }


def _read(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
