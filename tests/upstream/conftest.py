"""Every test here runs on asyncio's own loop and on uvloop; on compiled modules on uvloop alone, as the image does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from proxy.runtime import Sweep
from proxy.upstream import Options, TLSOptions, Upstream, parse_origin
from tests.support.compiled import COMPILED


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    asyncios = {} if COMPILED else {"asyncio": asyncio.new_event_loop}
    return {**asyncios, "uvloop": uvloop.new_event_loop}


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
        url: str, *, max_connections: int = 8, tls: TLSOptions | None = None, **timeouts: float
    ) -> Upstream:
        seconds = {"connect": 5.0, "response": 60.0, "idle": 300.0} | timeouts
        upstream = Upstream(
            parse_origin(url, tls), Options(**seconds, max_connections=max_connections), sweep
        )
        made.append(upstream)
        return upstream

    yield connect
    for upstream in made:
        await upstream.aclose()
        assert (upstream.active, upstream.idle, upstream.waiting) == (0, 0, 0)
