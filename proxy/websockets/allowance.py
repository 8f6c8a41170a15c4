"""Memory for the messages of all websockets together; each by itself may be as long as ``MAX_MESSAGE``."""

from __future__ import annotations

from typing import Protocol

MAX_MESSAGE = 16 * 1024 * 1024  # bytes; a longer one ends the websocket with 1009
FREE = 64 * 1024  # bytes that a connection may hold without being noted


class Holder(Protocol):
    """A connection."""

    def give_up(self) -> None:
        """End, and hold nothing any more: the memory is needed."""
        ...


class Allowance:
    """At most ``limit`` bytes: where there would be more, whoever holds most gives up."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: dict[Holder, int] = {}
        self._total = 0

    @property
    def held(self) -> int:
        """Bytes."""
        return self._total

    def __contains__(self, holder: Holder) -> bool:
        """Whether ``holder`` was last noted with more than is free."""
        return holder in self._held

    def note(self, holder: Holder, size: int) -> None:
        """``holder`` now holds ``size`` bytes."""
        if size > FREE:
            self._total += size - self._held.get(holder, 0)
            self._held[holder] = size
            while self._total > self.limit:
                self._take_back()
        elif holder in self._held:
            self._total -= self._held.pop(holder)

    def _take_back(self) -> None:
        most = max(self._held, key=self._held.__getitem__)
        self._total -= self._held.pop(most)
        most.give_up()


# Of this process: unfinished ones, those that wait to be taken, and those that wait to leave.
MESSAGES = Allowance(64 * 1024 * 1024)
