"""``/metrics``: everything counted, in Prometheus' text format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..observability.exposition import render
from ..observability.metrics import Gauges
from ..observability.prometheus import MetricsCollector

if TYPE_CHECKING:
    from ..app import App


def build_routes(app: App) -> list[Route]:
    def read_gauges() -> Gauges:
        return app.parts.gauges()  # those that serve now: a reload replaces them

    registry = CollectorRegistry()
    registry.register(MetricsCollector(app.metrics, read_gauges))
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)

    async def metrics(_: Request) -> Response:
        return Response(await render(registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", metrics)]
