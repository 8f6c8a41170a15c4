"""What is kept of users, found by any of their identifiers without looking through all there is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Index(Generic[T]):
    """Items under each of their user's identifiers, from ``add`` to ``discard`` with the same ones."""

    def __init__(self) -> None:
        self._items: dict[bytes, dict[T, None]] = {}

    def __len__(self) -> int:
        """How many identifiers something is kept under."""
        return len(self._items)

    def add(self, item: T, identifiers: Iterable[bytes]) -> None:
        for identifier in identifiers:
            self._items.setdefault(identifier, {})[item] = None

    def discard(self, item: T, identifiers: Iterable[bytes]) -> None:
        for identifier in identifiers:
            items = self._items.get(identifier, {})
            items.pop(item, None)
            if not items:
                self._items.pop(identifier, None)

    def find(self, identifier: bytes) -> tuple[T, ...]:
        return tuple(self._items.get(identifier, ()))
