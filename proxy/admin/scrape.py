"""``/metrics``: everything counted, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import chain
from typing import TYPE_CHECKING

from ..observability.exposition import CONTENT_TYPE, render
from ..observability.metrics import Gauges
from ..observability.process_metrics import collect_process, collect_python
from ..observability.prometheus import MetricsCollector
from .answer import Answer

if TYPE_CHECKING:
    from ..app import App


def build_answers(app: App) -> dict[str, Callable[[], Awaitable[Answer]]]:
    def read_gauges() -> Gauges:
        return app.parts.gauges()  # those that serve now: a reload replaces them

    collector = MetricsCollector(app.metrics, read_gauges)

    async def metrics() -> Answer:
        families = chain(collector.collect(), collect_process(), collect_python())
        return Answer(200, await render(families), CONTENT_TYPE)

    return {"/metrics": metrics}
