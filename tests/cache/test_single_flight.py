"""One exchange under way for each key."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable

import pytest

from proxy.cache.single_flight import Flight, Flights, Outcome
from proxy.errors import AuthorizationServerUnavailable
from proxy.runtime import Background

from ..support.caching import make_access_token

TOKEN = make_access_token("t")


class Stage:
    """Flights that land when ``gate`` is set, with ``outcome``; ``flown`` are those that have begun."""

    def __init__(self) -> None:
        self.background = Background()
        self.flights = Flights(self.background)
        self.gate = asyncio.Event()
        self.outcome: Outcome | Exception = TOKEN
        self.flown: list[Flight] = []

    def start(self, key: bytes = b"k", owner: bytes = b"alice") -> Flight:
        return self.flights.start(key, owner=owner, asker=b"asker", exchange=self.exchange)

    async def exchange(self, flight: Flight) -> Outcome:
        self.flown.append(flight)
        await self.gate.wait()
        if isinstance(self.outcome, Exception) and not isinstance(
            self.outcome, AuthorizationServerUnavailable
        ):
            raise self.outcome
        return self.outcome

    async def join(self, flight: Flight, number: int = 1) -> list[asyncio.Task[Outcome]]:
        """Tasks that wait for it by now."""
        waiting = [asyncio.create_task(flight.wait()) for _ in range(number)]
        await asyncio.sleep(0)
        return waiting


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    stage.gate.set()
    await stage.background.aclose()


async def test_a_flight_can_be_joined_until_it_lands(stage: Stage):
    """C-06: whoever misses meanwhile finds it by its key."""
    flight = stage.start()
    assert stage.flights.find(b"k") is flight
    assert stage.flights.find(b"other") is None
    waiting = await stage.join(flight, 3)
    stage.gate.set()
    assert await asyncio.gather(*waiting) == [TOKEN] * 3
    assert stage.flown == [flight]
    assert stage.flights.find(b"k") is None


@pytest.mark.parametrize("leaving", [[0], [1, 2], [0, 1, 2]], ids=["the first", "the others", "all"])
async def test_no_departure_ends_a_flight(stage: Stage, leaving: list[int]):
    """C-06, F-21: it is a task of its own, and those who stay are served."""
    flight = stage.start()
    waiting = await stage.join(flight, 3)
    for number in leaving:
        waiting[number].cancel()
    await asyncio.sleep(0)
    stage.gate.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    for number, outcome in enumerate(outcomes):
        assert isinstance(outcome, asyncio.CancelledError) if number in leaving else outcome is TOKEN
    assert await flight.wait() is TOKEN


async def test_a_refusal_is_a_value(stage: Stage):
    """Each who waits raises one of his own, so none is raised here."""
    stage.outcome = AuthorizationServerUnavailable("away")
    (waiting,) = await stage.join(stage.start())
    stage.gate.set()
    assert await waiting is stage.outcome


async def test_a_fault_of_our_own_is_raised_and_leaves_no_flight(stage: Stage):
    """C-07: it reaches those who wait."""
    stage.outcome = LookupError("a fault")
    waiting = await stage.join(stage.start(), 2)
    stage.gate.set()
    assert [type(each) for each in await asyncio.gather(*waiting, return_exceptions=True)] == [
        LookupError
    ] * 2
    assert len(stage.flights) == 0


async def test_at_the_end_of_the_proxy_those_who_wait_are_answered(stage: Stage):
    """F-34: a refusal, not a cancellation that would cut them off."""
    (waiting,) = await stage.join(stage.start())
    await stage.background.aclose()
    assert isinstance(await waiting, AuthorizationServerUnavailable)


async def test_nothing_is_left_of_flights_that_have_ended(stage: Stage):
    """C-07: however many there were."""
    flights = [stage.start(b"%d" % number) for number in range(1000)]
    assert len(stage.flights) == 1000
    stage.gate.set()
    await asyncio.gather(*(flight.wait() for flight in flights))
    assert len(stage.flights) == len(stage.background) == 0


async def test_what_has_landed_is_freed_without_the_garbage_collector(stage: Stage):
    """C-07: it holds somebody's token."""
    gc.disable()
    try:
        stage.gate.set()
        assert await stage.start().wait() is TOKEN
        stage.flown.clear()
        await asyncio.sleep(0)
        assert [each for each in gc.get_objects() if type(each) is Flight] == []
    finally:
        gc.enable()


async def test_a_recalled_flight_is_joined_by_nobody(stage: Stage):
    """C-25: those who wait are answered; the owner's next request begins another, and others' go on."""
    mine, twin, other = stage.start(b"1"), stage.start(b"2"), stage.start(b"3", b"bob")
    waiting = await stage.join(mine)
    stage.flights.recall(b"alice")
    assert [flight.recalled for flight in (mine, twin, other)] == [True, True, False]
    assert [stage.flights.find(key) for key in (b"1", b"2", b"3")] == [None, None, other]
    next_one = stage.start(b"1")
    stage.gate.set()
    assert await asyncio.gather(*waiting) == [TOKEN]
    await asyncio.sleep(0)
    assert await next_one.wait() is TOKEN
    assert not next_one.recalled


async def test_a_recalled_flight_takes_no_other_with_it_when_it_lands(stage: Stage):
    """C-07, C-25: the flight that has its key by then stays to be joined."""
    old = stage.start()
    stage.flights.recall(b"alice")
    stage.gate.set()
    await old.wait()
    stage.gate.clear()
    new = stage.start()
    await asyncio.sleep(0)
    assert stage.flights.find(b"k") is new


@pytest.mark.parametrize(
    "prepare", [lambda _: None, lambda stage: stage.flights.recall(b"alice")], ids=["joinable", "recalled"]
)
async def test_landing_is_waited_for(stage: Stage, prepare: Callable[[Stage], None]):
    """F-39: also of flights that nobody can join any more."""
    stage.start()
    prepare(stage)
    landing = asyncio.create_task(stage.flights.landed())
    await asyncio.sleep(0)
    assert not landing.done()
    stage.gate.set()
    async with asyncio.timeout(5):
        await landing
    await stage.flights.landed()
