"""The bulkhead: places, turns, and those who leave the queue."""

from __future__ import annotations

import asyncio

import pytest

from proxy.bulkhead import Bulkhead
from proxy.errors import AuthorizationServerThrottled


async def enter(bulkhead: Bulkhead, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.ensure_future(bulkhead.enter()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_a_burst_begins_small_and_grows_with_success():
    """F-01, X-23: each success lets one more go along, up to the most; then it begins anew."""
    bulkhead = Bulkhead(first=2, most=4)
    tasks = await enter(bulkhead, 20)
    assert (bulkhead.in_flight, bulkhead.waiting) == (2, 18)
    bulkhead.leave(grow=True)
    assert bulkhead.in_flight == 3
    for _ in range(5):
        bulkhead.leave(grow=True)
    assert bulkhead.in_flight == 4
    while bulkhead.in_flight:
        bulkhead.leave(grow=True)
    await asyncio.gather(*tasks)
    rest = await enter(bulkhead, 3)
    assert (bulkhead.in_flight, bulkhead.waiting) == (2, 1)
    for _ in rest:
        bulkhead.leave()
    await asyncio.gather(*rest)


async def test_turns_are_taken_in_order():
    """Nobody overtakes those who wait."""
    bulkhead = Bulkhead(first=1)
    tasks = await enter(bulkhead, 3)
    assert [task.done() for task in tasks] == [True, False, False]
    bulkhead.leave()
    await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [True, True, False]
    bulkhead.leave()
    await tasks[2]


async def test_those_who_wait_are_turned_away():
    """X-23: each with an error of their own; those inside stay."""
    bulkhead = Bulkhead(first=1)
    inside, *waiting = await enter(bulkhead, 3)
    bulkhead.turn_away(AuthorizationServerThrottled("held", retry_after=3))
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in errors] == [AuthorizationServerThrottled] * 2
    assert errors[0] is not errors[1]
    assert (bulkhead.in_flight, bulkhead.waiting) == (1, 0)
    await inside


async def test_a_place_is_never_lost_to_one_who_left():
    """F-22: leaving the queue, or just as one's turn came, gives the place on."""
    bulkhead = Bulkhead(first=1)
    _, second, third = await enter(bulkhead, 3)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert bulkhead.waiting == 1
    bulkhead.leave()  # third's turn has come …
    third.cancel()  # … and it leaves before it knows
    with pytest.raises(asyncio.CancelledError):
        await third
    assert (bulkhead.in_flight, bulkhead.waiting) == (0, 0)


async def test_leaving_after_being_turned_away_gives_nothing_back():
    """A place that was never had is not given back."""
    bulkhead = Bulkhead(first=1)
    _, second = await enter(bulkhead, 2)
    bulkhead.turn_away(AuthorizationServerThrottled("held"))
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert bulkhead.in_flight == 1


@pytest.mark.parametrize("turned_away", [False, True])
async def test_a_turn_that_comes_as_one_leaves(turned_away):
    """F-22: one who is leaving and does not know it yet gets no turn; the next one does."""
    bulkhead = Bulkhead(first=1)
    _, second, third = await enter(bulkhead, 3)
    second.cancel()
    if turned_away:
        bulkhead.turn_away(AuthorizationServerThrottled("held"))
    bulkhead.leave()
    results = await asyncio.gather(second, third, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert isinstance(results[1], AuthorizationServerThrottled) is turned_away
    assert bulkhead.in_flight == (0 if turned_away else 1)
