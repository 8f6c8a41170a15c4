"""Callers who leave."""

from __future__ import annotations

import asyncio

import pytest

from proxy.downstream.disconnects import PATIENCE, Departures
from proxy.runtime import Background

from .callers import Caller, OwnServer, build


async def test_our_own_server_tells_departures():
    """F-20: the callback cancels the task that serves the request."""
    connection = OwnServer()
    downstream = build(Caller(), connection=connection)

    async def serve() -> None:
        downstream.watch()
        connection.callback()
        await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(serve())
    assert downstream.departed
    downstream.abort()
    assert connection.aborted


async def test_a_foreign_server_tells_departures_by_receive():
    """F-20: a request that outlives its first moments is watched, and its task cancelled."""
    caller = Caller()
    background = Background()
    departures = Departures(background)
    downstream = build(caller)
    begun = asyncio.Event()

    async def serve() -> None:
        downstream.watch()
        departures.add(downstream, 0.0)
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            departures.discard(downstream)

    task = asyncio.create_task(serve())
    await begun.wait()
    departures.watch(PATIENCE / 2)
    assert len(background) == 0
    departures.watch(PATIENCE)
    assert len(background) == 1
    caller.gone.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert downstream.departed
    await background.aclose()


async def test_a_request_that_is_still_read_is_not_watched():
    """Only one may wait for what the caller sends: while a body comes, its reader sees the departure."""
    background = Background()
    departures = Departures(background)
    downstream = build(Caller(), [(b"content-length", b"5")])
    downstream.body()
    departures.add(downstream, 0.0)
    departures.watch(10.0)
    assert len(background) == 0
    departures.discard(downstream)
    departures.start()
    departures.stop()
