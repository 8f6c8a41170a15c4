"""One exchange under way for each key: whoever misses meanwhile waits for the same one.

A flight is a task of its own, so no caller's departure ends it, the first one's included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ..authentication.index import Index
from ..errors import AuthorizationServerUnavailable, ProxyError
from ..exchange.token_exchange import AccessToken
from ..runtime import Background

Outcome = AccessToken | ProxyError  # a refusal is a value here: each who waits raises one of his own


@dataclass(eq=False, slots=True)
class Flight:
    """An exchange for ``owner``, made with the subject token that ``asker`` stands for; joined by ``key``.

    ``actor`` is whoever acts for the owner, if anybody.
    """

    key: bytes
    owner: bytes
    asker: bytes
    identifiers: tuple[bytes, ...] = ()
    actor: bytes = b""
    recalled: bool = False
    task: asyncio.Task[Outcome] = field(init=False, repr=False)

    async def wait(self) -> Outcome:
        """The outcome; the flight goes on when the waiter is cancelled."""
        try:
            return await asyncio.shield(self.task)
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if waiter is None or waiter.cancelling() or not self.task.cancelled():
                raise
            return AuthorizationServerUnavailable("the exchange was given up: the proxy is shutting down")


class Flights:
    """The flights under way; a flight that has ended leaves no trace."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._flights: dict[bytes, Flight] = {}
        self._identified: Index[Flight] = Index()
        self._under_way: set[asyncio.Task[Outcome]] = set()  # also those that nobody can join any more

    def __len__(self) -> int:
        return len(self._flights)

    def find(self, key: bytes) -> Flight | None:
        flight = self._flights.get(key)
        return None if flight is None or flight.task.done() else flight

    def start(
        self,
        key: bytes,
        *,
        owner: bytes,
        asker: bytes,
        identifiers: tuple[bytes, ...] = (),
        actor: bytes = b"",
        exchange: Callable[[Flight], Awaitable[Outcome]],
    ) -> Flight:
        """Begin the flight that callers asking for ``key`` shall join from now on."""

        async def fly() -> Outcome:
            return await exchange(flight)

        flight = self._flights[key] = Flight(key, owner, asker, identifiers, actor)
        self._identified.add(flight, identifiers)
        flight.task = self._background.spawn(fly(), name="exchange", awaited=True)
        self._under_way.add(flight.task)
        flight.task.add_done_callback(lambda _: self._land(flight))
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

    def _land(self, flight: Flight) -> None:
        self._under_way.discard(flight.task)
        self._identified.discard(flight, flight.identifiers)
        self._forget(flight)

    def _forget(self, flight: Flight) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
