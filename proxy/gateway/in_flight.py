"""How many requests are under way: what serves them is closed once the last of them has ended."""

from __future__ import annotations

import asyncio


class InFlight:
    """A count of requests, and the wait for its end."""

    def __init__(self) -> None:
        self.count = 0
        self._quiet: asyncio.Event | None = None  # of who waits

    def enter(self) -> None:
        """A request begins."""
        self.count += 1

    def leave(self) -> None:
        """A request has ended."""
        self.count -= 1
        if self._quiet is not None and not self.count:
            self._quiet.set()

    async def wait_for_end(self) -> None:
        """Until none is under way; for one who waits, and has no other begin."""
        if self.count:
            self._quiet = asyncio.Event()
            await self._quiet.wait()
