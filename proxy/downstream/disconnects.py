"""Callers who leave, under an ASGI server that tells it through ``receive()`` alone.

The watch on a request begins once it has outlived its first moments, so that a quick one pays for neither a
task nor a timer. Under our own server, which tells departures by itself, there is nothing to watch.
"""

from __future__ import annotations

import asyncio

from ..runtime import Background, Sweep
from .request import Downstream

PATIENCE = 0.2  # s: longer than most requests take, shorter than anybody minds


class Departures:
    """The requests under way whose callers may leave."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._sweep = Sweep()
        self._young: dict[Downstream, float] = {}
        self._watched: dict[Downstream, asyncio.Task[None]] = {}

    def start(self) -> None:
        self._sweep.add(self.watch)
        self._sweep.start()

    def stop(self) -> None:
        self._sweep.stop()

    def add(self, downstream: Downstream, now: float) -> None:
        """A request has begun, under a server that will not tell; ``now`` is monotonic."""
        self._young[downstream] = now

    def discard(self, downstream: Downstream) -> None:
        """It has ended."""
        self._young.pop(downstream, None)
        watch = self._watched.pop(downstream, None)
        if watch is not None:
            watch.cancel()

    def watch(self, now: float) -> None:
        """Begin to wait for the departure of those that have been here for long and are read to their end."""
        for downstream, began in tuple(self._young.items()):
            if now - began >= PATIENCE and downstream.is_read:
                del self._young[downstream]
                self._watched[downstream] = self._background.spawn(
                    downstream.wait_for_departure(), name="departure"
                )
