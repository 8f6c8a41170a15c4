"""Tokens that were taken: none is taken twice by this process. Other replicas are asked by the ``Revoker``."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from ..cache.recent import Recent
from ..runtime import Clock

MOST: Final = 100_000  # tokens, some 300 bytes each; only what an org has signed is remembered
REMEMBERED_FOR: Final = 90_000.0  # s: a day, as long as an event is taken, and what clocks may differ by


def build_name(issuer: str, token_id: str) -> bytes:
    """What a token of ``issuer`` is remembered by (32 bytes)."""
    return sha256(b"obo-proxy event 1\0" + sha256(issuer.encode()).digest() + token_id.encode()).digest()


class Once:
    """By name; one for the process, so that a reload forgets none."""

    def __init__(self, clock: Clock) -> None:
        self._taken: Recent[bool] = Recent(MOST, REMEMBERED_FOR, clock)

    def is_taken(self, name: bytes) -> bool:
        return self._taken.get(name) is not None

    def all(self) -> tuple[bytes, ...]:
        """For a process that begins."""
        return tuple(self._taken.keys())

    def take(self, name: bytes) -> None:
        """Here, or by another worker."""
        self._taken.keep(name, True)

    def give_back(self, name: bytes) -> None:
        """Its sender is to send it again."""
        self._taken.forget(name)
