"""The bulkhead: places, turns, and those who leave the queue."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from proxy.errors import AuthorizationServerThrottled
from proxy.exchange.bulkhead import Bulkhead
from tests.support.leftovers import leftovers


async def enter(bulkhead: Bulkhead, count: int) -> list[asyncio.Task[None]]:
    """So many, each for an asker of its own: 0, 1, 2 …"""
    return await enter_as(bulkhead, *range(count))


async def enter_as(bulkhead: Bulkhead, *askers: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.ensure_future(bulkhead.enter(b"%d" % asker)) for asker in askers]
    await asyncio.sleep(0)
    return tasks


def leave(bulkhead: Bulkhead, *askers: int, grow: bool = False) -> None:
    for asker in askers:
        bulkhead.leave(b"%d" % asker, grow=grow)


async def test_a_burst_begins_small_and_grows_with_success():
    """F-01, X-23: each success lets one more go along, up to the most; then it begins anew."""
    bulkhead = Bulkhead(first=2, most=4)
    tasks = await enter(bulkhead, 20)
    assert (bulkhead.in_flight, bulkhead.waiting) == (2, 18)
    leave(bulkhead, 0, grow=True)
    assert bulkhead.in_flight == 3
    leave(bulkhead, *range(1, 6), grow=True)
    assert bulkhead.in_flight == 4
    leave(bulkhead, *range(6, 20), grow=True)
    await asyncio.gather(*tasks)
    rest = await enter(bulkhead, 3)
    assert (bulkhead.in_flight, bulkhead.waiting) == (2, 1)
    leave(bulkhead, 0, 1, 2)
    await asyncio.gather(*rest)
    assert bulkhead.in_flight == 0


async def test_turns_are_taken_in_order():
    """Nobody overtakes those who wait."""
    bulkhead = Bulkhead(first=1)
    tasks = await enter(bulkhead, 3)
    assert [task.done() for task in tasks] == [True, False, False]
    leave(bulkhead, 0)
    await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [True, True, False]
    leave(bulkhead, 1)
    await tasks[2]


async def test_one_asker_has_half_of_the_places():
    """F-01: however slow one user's calls are and however many, another's finds a place at once."""
    bulkhead = Bulkhead(first=4)
    slow = await enter_as(bulkhead, *[1] * 10)
    assert (bulkhead.in_flight, bulkhead.waiting) == (2, 8)
    others = await enter_as(bulkhead, 2, 3, 4)
    assert [task.done() for task in others] == [True, True, False]
    leave(bulkhead, 2)
    await asyncio.sleep(0)
    assert others[2].done()
    leave(bulkhead, 3, 4)
    assert (bulkhead.in_flight, bulkhead.waiting) == (2, 8)
    for _ in slow:
        leave(bulkhead, 1)
    await asyncio.gather(*slow)
    assert (bulkhead.in_flight, bulkhead.waiting) == (0, 0)


async def test_askers_take_turns():
    """F-01: who waits with one call comes before the second call of who waits with many."""
    bulkhead = Bulkhead(first=1)
    first, *many = await enter_as(bulkhead, 1, 2, 2, 2)
    other = (await enter_as(bulkhead, 3))[0]
    leave(bulkhead, 1)
    leave(bulkhead, 2)
    await asyncio.sleep(0)
    assert [task.done() for task in (first, *many, other)] == [True, True, False, False, True]
    bulkhead.turn_asker_away(b"2", AuthorizationServerThrottled("held"))
    errors = await asyncio.gather(*many[1:], return_exceptions=True)
    assert [type(error) for error in errors] == [AuthorizationServerThrottled] * 2
    assert (bulkhead.in_flight, bulkhead.waiting) == (1, 0)


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
    leave(bulkhead, 0)  # third's turn has come …
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
    leave(bulkhead, 0)
    results = await asyncio.gather(second, third, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert isinstance(results[1], AuthorizationServerThrottled) is turned_away
    assert bulkhead.in_flight == (0 if turned_away else 1)


async def test_nothing_is_left_of_one_who_was_turned_away():
    """The error belongs to whoever raises it: nothing is left to the garbage collector."""
    bulkhead = Bulkhead(first=1)
    await bulkhead.enter("bob")

    async def wait_in_vain():
        with suppress(AuthorizationServerThrottled):
            await bulkhead.enter("alice")

    async def visit():
        waiting = asyncio.ensure_future(wait_in_vain())
        await asyncio.sleep(0)
        bulkhead.turn_away(AuthorizationServerThrottled(""))
        await waiting

    assert await leftovers(visit) == {}
