"""A worker's process, in a place of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from proxy.config.models import Settings, UpstreamTLS
from proxy.server.handover import DATA, SUPERVISOR_ADDRESS
from proxy.server.workers.asking import ask
from proxy.server.workers.place import Place
from proxy.server.workers.worker import _take_share

from ..test_serve import make_settings

pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])  # the test's; the worker chooses its own
OURS = (b"host", b"localhost")


@asynccontextmanager
async def working(settings: Settings | None = None) -> AsyncIterator[tuple[Place, asyncio.Task[None]]]:
    """A place whose process serves, and the task that keeps it."""
    place = Place(1, lambda: settings or make_settings())
    running = asyncio.create_task(place.run())
    try:
        async with asyncio.timeout(20):
            await place.served.wait()
        yield place, running
    finally:
        place.kill()
        await running


async def get(place: Place, target: bytes, *headers: tuple[bytes, bytes]) -> int:
    """The admin side's status."""
    answer, _ = await place.ask(b"GET", target, list(headers or [OURS]), b"", seconds=10)
    return answer.status


async def test_it_serves_what_it_is_handed_until_it_is_told_to_drain():
    """F-34: both sides, then an end; no other process follows."""
    async with working() as (place, running):
        answer = await ask(partial(place.take, kind=DATA), b"GET", b"/a/../b", [OURS], seconds=10)
        assert answer.status == 400
        assert await get(place, b"/healthz") == 200
        place.end()
        async with asyncio.timeout(20):
            await running
        assert place.restarts == 0
        assert not place.serving


async def test_signals_are_for_the_supervisor_to_pass_on():
    """F-34: a terminal or an init system sends them to every process of a group."""
    async with working() as (place, _):
        assert place._process is not None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(place._process.pid, number)
        assert await get(place, b"/healthz") == 200
        assert place.restarts == 0


async def test_it_ends_where_its_supervisor_is_gone():
    """F-34: nobody would ever tell it to."""
    async with working() as (place, _):
        process = place._process
        assert process is not None
        assert place._channel is not None
        place._channel.close()
        async with asyncio.timeout(20):
            assert await process.wait() == 0


@pytest.mark.parametrize(
    ("host", "called", "status"),
    [
        (b"10.0.0.7:9090", b"10.0.0.7:9090", 200),
        (b"localhost:9090", b"10.0.0.7:9090", 200),
        (b"10.0.0.8:9090", b"10.0.0.7:9090", 421),
        (b"evil.example", b"10.0.0.7:9090", 421),
    ],
)
async def test_the_admin_side_is_at_the_supervisors_address(host: bytes, called: bytes, status: int):
    """O-02: the name by which that was called is ours, and no other."""
    async with working() as (place, _):
        assert await get(place, b"/api/status", (b"host", host), (SUPERVISOR_ADDRESS, called)) == status


async def test_a_configuration_is_prepared_and_then_put_to_use_or_not():
    """F-39: what cannot be built is said, and the old one serves on; what is given up leaves nothing."""
    good = make_settings()
    tls = UpstreamTLS(cert_file=Path("/none"), key_file=Path("/none"))
    bad = replace(good, routes=(replace(good.routes[0], upstream="https://a", tls=tls),))
    async with working() as (place, _):
        for word, settings, fault in (
            ("prepare", bad, "FileNotFoundError"),
            ("prepare", good, None),
            ("abandon", good, None),
            ("prepare", good, None),
            ("commit", good, None),
        ):
            answered = await place.tell(word, settings)
            assert (answered or "").partition(":")[0] == (fault or "")
            assert await get(place, b"/healthz") == 200
        assert place.restarts == 0


@pytest.mark.parametrize(
    ("connections", "workers", "share"), [(100, 4, 25), (101, 4, 26), (1, 4, 1), (7, 1, 7)]
)
async def test_the_bound_of_connections_is_shared(connections: int, workers: int, share: int):
    """F-37: they are dealt evenly, and each worker has room for its part."""
    settings = make_settings(max_connections=connections, workers=workers)
    assert _take_share(settings).listen.max_connections == share
