"""Pools of HTTP/2; every test here runs on both loops, as those beside it do."""

from collections.abc import AsyncIterator, Callable

import pytest

from proxy.runtime import Sweep
from proxy.upstream import Options, TLSOptions, parse_origin
from proxy.upstream.http2 import Http2Upstream


@pytest.fixture
async def connect(sweep: Sweep) -> AsyncIterator[Callable[..., Http2Upstream]]:
    """Make pools to URLs; they are closed at the end, and must hold nothing then."""
    made: list[Http2Upstream] = []

    def connect(
        url: str, *, max_connections: int = 64, tls: TLSOptions | None = None, **timeouts: float
    ) -> Http2Upstream:
        seconds = {"connect": 5.0, "response": 60.0, "idle": 300.0} | timeouts
        upstream = Http2Upstream(
            parse_origin(url, tls), Options(**seconds, max_connections=max_connections), sweep
        )
        made.append(upstream)
        return upstream

    yield connect
    for upstream in made:
        await upstream.aclose()
        assert (upstream.active, upstream.idle, upstream.waiting) == (0, 0, 0)
