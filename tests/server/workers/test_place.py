"""A worker's place: what it says of its process, and what follows a process that ends."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.config.models import Cache, UpstreamTLS
from proxy.server.workers.asking import WorkerUnavailable
from proxy.server.workers.place import Place

from ..test_serve import make_settings


async def test_a_worker_that_cannot_start_is_no_loop(tmp_path):
    """The first one's end before it serves is the end of the start, as for a single process."""
    tls = {"cert_file": str(tmp_path / "none"), "key_file": str(tmp_path / "none")}
    place = Place(1, lambda: make_settings(tls=tls))
    with pytest.raises(ChildProcessError, match="worker 1 ended before it served"):
        await place.run()
    assert not place.serving
    with pytest.raises(WorkerUnavailable):
        await place.ask(b"GET", b"/", [], b"", seconds=1)
    assert await place.tell("prepare", make_settings()) is None, "it would begin with it"


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_a_worker_that_began_after_the_others_prepared():
    """F-39: it builds what they go by when it is told to, and where it cannot, its successor begins with it."""
    old, new = (replace(make_settings(), cache=Cache(max_entries=n)) for n in (5, 6))
    tls = UpstreamTLS(cert_file=Path("/none"), key_file=Path("/none"))
    route = replace(old.routes[0], upstream="https://x", tls=tls)
    bad = replace(old, routes=(route,))
    place = Place(1, lambda: old)
    running = asyncio.create_task(place.run())
    try:
        await place.served.wait()
        assert await place.tell("commit", new) is None
        assert await _entries(place) == 6
        assert await place.tell("commit", bad) is None
        async with asyncio.timeout(20):
            while place.restarts < 1 or not place.serving:
                await asyncio.sleep(0.01)
        assert await _entries(place) == 5
    finally:
        place.kill()
        await running


async def _entries(place: Place) -> int:
    headers = [(b"host", b"localhost"), (b"x-obo-supervisor-address", b"127.0.0.1:9090")]
    answer, _ = await place.ask(b"GET", b"/api/config", headers, b"", seconds=20)
    return json.loads(answer.body)["cache"]["max_entries"]
