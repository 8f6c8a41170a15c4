"""Every test here runs on asyncio's own loop and on uvloop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import uvloop

from proxy.config import models
from proxy.runtime import Sweep
from proxy.upstream import Upstream


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def sweep() -> AsyncIterator[Sweep]:
    sweep = Sweep()
    sweep.start()
    yield sweep
    sweep.stop()


@pytest.fixture
async def connect(sweep: Sweep) -> AsyncIterator[Callable[..., Upstream]]:
    """Make pools to URLs; they are closed at the end, and must hold nothing then."""
    made: list[Upstream] = []

    def connect(
        url: str, *, max_connections: int = 8, tls: models.UpstreamTLS | None = None, **timeouts: Any
    ) -> Upstream:
        upstream = Upstream(
            url, timeouts=models.Timeouts(**timeouts), max_connections=max_connections, tls=tls, sweep=sweep
        )
        made.append(upstream)
        return upstream

    yield connect
    for upstream in made:
        await upstream.aclose()
        assert (upstream.active, upstream.idle, upstream.waiting) == (0, 0, 0)
