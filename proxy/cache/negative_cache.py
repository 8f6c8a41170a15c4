"""Refusals remembered for a short while, so that a bad token or a bad configuration costs one request.

Kept apart from the entries, so that no number of refusals can push out a token. Only what an exchange error
itself says may be remembered is: never that the authorization server was busy, slow or away.
"""

from __future__ import annotations

from copy import copy
from typing import Final

from cachetools import TLRUCache

from ..errors import ProxyError
from ..runtime import Clock

LONGEST: Final = {"subject_token": 30.0, "route": 10.0, None: 0.0}  # s, however long the error says


class Refusals:
    """At most ``max_entries`` refusals, the least recently met leaving first."""

    def __init__(self, max_entries: int, clock: Clock) -> None:
        self._refusals: TLRUCache[bytes, ProxyError] = TLRUCache(max_entries, _ends, timer=clock.monotonic)

    def __len__(self) -> int:
        return len(self._refusals)

    def remember(self, error: ProxyError, *, subject_token: bytes, route: bytes) -> None:
        """Keep ``error`` under the one of the two keys that it is about, if it may be kept at all."""
        self._refusals[subject_token if error.remember_by == "subject_token" else route] = copy(error)

    def recall(self, key: bytes) -> ProxyError | None:
        """A fresh instance to raise: a shared one would gather every raiser's traceback."""
        error = self._refusals.get(key)
        return None if error is None else copy(error)


def _ends(_: bytes, error: ProxyError, now: float) -> float:
    return now + min(error.remember_for, LONGEST[error.remember_by])
