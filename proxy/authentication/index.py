"""What is kept of users, found by any of their identifiers without looking through all there is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from ..runtime import keep_from_collector
from .segments import Segments

T = TypeVar("T", bound=Hashable)


class Index(Generic[T]):
    """Items under each of their user's identifiers, from ``add`` to ``discard`` with the same ones.

    Most users have one item. It stands for itself: a dictionary of one takes 232 bytes.
    """

    def __init__(self) -> None:
        self._items: Segments[bytes, T | dict[T, None]] = Segments()

    def __len__(self) -> int:
        """How many identifiers something is kept under."""
        return len(self._items)

    def add(self, item: T, identifiers: Iterable[bytes]) -> None:
        for identifier in identifiers:
            segment = self._items.of(identifier)
            items = segment.setdefault(identifier, item)
            if isinstance(items, dict):
                items[item] = None
            elif items != item:
                several = segment[identifier] = {items: None, item: None}
                keep_from_collector(several, segment)

    def discard(self, item: T, identifiers: Iterable[bytes]) -> None:
        for identifier in identifiers:
            segment = self._items.of(identifier)
            items = segment.get(identifier)
            if isinstance(items, dict):
                items.pop(item, None)
            if items in (item, {}):
                del segment[identifier]

    def find(self, identifier: bytes) -> tuple[T, ...]:
        """All of them, in the order in which they came."""
        items = self._items.of(identifier).get(identifier)
        if items is None:
            return ()
        return tuple(items) if isinstance(items, dict) else (items,)

    def count(self, identifier: bytes) -> int:
        items = self._items.of(identifier).get(identifier)
        return len(items) if isinstance(items, dict) else int(items is not None)

    def first(self, identifier: bytes) -> T:
        """The one that came first, of some."""
        items = self._items.of(identifier)[identifier]
        return next(iter(items)) if isinstance(items, dict) else items
