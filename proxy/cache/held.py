"""What lives as long as somebody holds it, and is found until then."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Held(Generic[T]):
    """Keeps ``value``, and may be referred to weakly, as native objects may not: so this class must not be compiled."""

    __slots__ = ("__weakref__", "value")

    def __init__(self, value: T) -> None:
        self.value = value
