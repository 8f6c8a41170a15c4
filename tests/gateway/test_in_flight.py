"""The end of the last request is told to who waits for it."""

from __future__ import annotations

import asyncio

from proxy.gateway.in_flight import InFlight


async def test_nobody_waits_where_none_is_under_way():
    await InFlight().wait_for_end()


async def test_the_last_one_ends_the_wait():
    """Not the one before it."""
    in_flight = InFlight()
    for _ in range(2):
        in_flight.enter()
    wait = asyncio.create_task(in_flight.wait_for_end())
    for ended in (False, True):
        in_flight.leave()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert wait.done() is ended
    assert in_flight.count == 0
