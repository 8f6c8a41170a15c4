"""``/metrics``: everything counted, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ..observability.exposition import render
from ..observability.metrics import Gauges
from ..observability.prometheus import MetricsCollector
from .answer import Answer

if TYPE_CHECKING:
    from ..app import App


def build_scrape(app: App) -> Callable[[], Awaitable[Answer]]:
    def read_gauges() -> Gauges:
        return app.parts.gauges()  # those that serve now: a reload replaces them

    registry = CollectorRegistry()
    registry.register(MetricsCollector(app.metrics, read_gauges))
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)

    async def scrape() -> Answer:
        return Answer(200, await render(registry), CONTENT_TYPE_LATEST)

    return scrape
