"""One exchange under way for each key: whoever misses meanwhile waits for the same one.

A flight is a task of its own, so no caller's departure ends it, the first one's included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from ..authentication.index import Index
from ..errors import AuthorizationServerUnavailable, ProxyError
from ..exchange.token_exchange import AccessToken
from ..runtime import Background

Outcome = AccessToken | ProxyError  # a refusal is a value here: each who waits raises one of his own


class Flight:
    """An exchange for ``owner``, made with the subject token that ``asker`` stands for; joined by ``key``.

    ``actor`` is whoever acts for the owner, if anybody. ``task`` holds the flight, and is let go when it has landed.
    """

    task: asyncio.Task[Outcome] | None = None

    def __init__(
        self,
        key: bytes,
        owner: bytes,
        asker: bytes,
        identifiers: tuple[bytes, ...] = (),
        actor: bytes = b"",
    ) -> None:
        self.key = key
        self.owner = owner
        self.asker = asker
        self.identifiers = identifiers
        self.actor = actor
        self.recalled = False
        self._end: Outcome | BaseException | None = None  # while it is under way
        self._waiters: set[asyncio.Future[None]] = set()

    async def wait(self) -> Outcome:
        """The outcome; the flight goes on when the waiter is cancelled."""
        if self._end is None:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        end = self._end
        if isinstance(end, Outcome):
            return end
        raise end or RuntimeError("the flight has not landed")

    def land(self, task: asyncio.Task[Outcome]) -> None:
        """``task`` has ended, and whoever waits goes on."""
        self.task = None
        if task.cancelled():
            self._end = AuthorizationServerUnavailable(
                "the exchange was given up: the proxy is shutting down"
            )
        else:
            self._end = task.exception() or task.result()
        for waiter in self._waiters:
            if not waiter.done():  # or it was cancelled, and does not know it yet
                waiter.set_result(None)


class Flights:
    """The flights under way; a flight that has ended leaves no trace."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._flights: dict[bytes, Flight] = {}
        self._identified: Index[Flight] = Index()
        # Also those that nobody can join any more.
        self._under_way: dict[asyncio.Task[Outcome], Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def find(self, key: bytes) -> Flight | None:
        flight = self._flights.get(key)
        return None if flight is None or flight.task is None or flight.task.done() else flight

    def start(
        self,
        key: bytes,
        *,
        owner: bytes,
        asker: bytes,
        identifiers: tuple[bytes, ...] = (),
        actor: bytes = b"",
        exchange: Callable[[Flight], Coroutine[Any, Any, Outcome]],
    ) -> Flight:
        """Begin the flight that callers asking for ``key`` shall join from now on."""
        flight = self._flights[key] = Flight(key, owner, asker, identifiers, actor)
        self._identified.add(flight, identifiers)
        task = flight.task = self._background.spawn(exchange(flight), name="exchange", awaited=True)
        self._under_way[task] = flight
        task.add_done_callback(self._land)
        return flight

    def recall(self, owner: bytes) -> None:
        """Let nobody join the owner's flights any more, nor those where the owner acts, and let none leave an entry."""
        for flight in tuple(self._flights.values()):
            if owner in (flight.owner, flight.actor):
                self._recall(flight)

    def recall_identified(self, identifier: bytes) -> None:
        """The same of the user whom ``identifier`` means."""
        for flight in self._identified.find(identifier):
            self._recall(flight)

    async def landed(self) -> None:
        """Wait for the end of the flights that are under way now, and of renewals that begin as they end."""
        for _ in range(2):
            if self._under_way:
                await asyncio.wait(self._under_way)

    def _recall(self, flight: Flight) -> None:
        flight.recalled = True
        self._forget(flight)

    def _land(self, task: asyncio.Task[Outcome]) -> None:
        flight = self._under_way.pop(task)
        flight.land(task)
        self._identified.discard(flight, flight.identifiers)
        self._forget(flight)

    def _forget(self, flight: Flight) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
