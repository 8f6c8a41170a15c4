"""What one worker hears of revocations, on its way to the others: by the supervisor, which also tells later workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ...cache.replicas import RevocationOwed
from ...cache.revocation import Revocation
from .channel import Channel, News

PATIENCE: Final = 3.0  # s until those that have not said that they heard count as unreached
MOST: Final = 10_000  # revocations that wait for their turn, and names, some 100 bytes each


@dataclass
class _Batch:
    """News that travel together; ``heard`` is whether all fellows have them."""

    number: int
    heard: asyncio.Future[bool]
    revocations: list[Revocation] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)


class FellowWorkers:
    """Implements ``Fellows``: one batch at a time is under way, and what comes meanwhile is the next."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = 0
        self._under_way: _Batch | None = None
        self._next: _Batch | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def tell(self, revocations: Sequence[Revocation], taken: bytes | None) -> None:
        batch = self._next or self._build_batch()
        if len(batch.revocations) + len(revocations) > MOST or len(batch.taken) >= MOST:
            raise RevocationOwed("workers")
        self._next = batch
        batch.revocations += revocations
        batch.taken += [] if taken is None else [taken]
        if self._under_way is None:
            self._send()
        await asyncio.wait([batch.heard])  # who leaves does not end it for the others
        if not batch.heard.result():
            raise RevocationOwed("workers")

    def note(self, word: str, value: Any, hear: Callable[[News], None]) -> None:
        """The supervisor says ``word``: how ours was heard, or what another worker has to tell."""
        number, content = value
        if word == "told":
            self._settle(number, heard=content)
        elif word == "revoke":
            hear(content)
            self._channel.say("heard", number)

    def _build_batch(self) -> _Batch:
        self._numbers += 1
        return _Batch(self._numbers, asyncio.get_running_loop().create_future())

    def _send(self) -> None:
        batch = self._under_way = self._next
        self._next = None
        if batch is None:
            return
        self._channel.say("revoked", (batch.number, News(tuple(batch.revocations), tuple(batch.taken))))
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PATIENCE, lambda: self._settle(batch.number, heard=False))

    def _settle(self, number: int, *, heard: bool) -> None:
        batch = self._under_way
        if batch is None or batch.number != number:
            return  # an answer that came too late
        if self._timer is not None:
            self._timer.cancel()
        batch.heard.set_result(heard)
        self._send()
