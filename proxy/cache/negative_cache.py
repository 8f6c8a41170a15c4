"""Refusals remembered for a short while, so that a bad token or a bad configuration costs one request.

Kept apart from the entries, so that no number of refusals can push out a token. Only what an exchange error
itself says may be remembered is: never that the authorization server was busy, slow or away.
"""

from __future__ import annotations

from copy import copy
from typing import Final

from ..errors import ProxyError
from ..runtime import Clock, keep_from_collector
from .recent import Recent

LONGEST: Final = {"subject_token": 30.0, "route": 10.0, None: 0.0}  # s, however long the error says
MOST_ROUTES: Final = 1000  # refusals of whole routes, each for one issuer's users


class Refusals:
    """At most ``max_entries`` refusals of subject tokens, the oldest leaving first; they push out none of routes."""

    def __init__(self, max_entries: int, clock: Clock) -> None:
        self._of_tokens: Recent[ProxyError] = Recent(max_entries, LONGEST["subject_token"], clock)
        self._of_routes: Recent[ProxyError] = Recent(MOST_ROUTES, LONGEST["route"], clock)

    def __len__(self) -> int:
        return len(self._of_tokens) + len(self._of_routes)

    def remember(self, error: ProxyError, *, subject_token: bytes, route: bytes) -> None:
        """Keep ``error`` under the one of the two keys that it is about, if it may be kept at all."""
        if error.remember_by is None or error.remember_for <= 0:
            return
        kept = copy(error)
        keep_from_collector(kept, kept.args, vars(kept))
        if error.remember_by == "subject_token":
            self._of_tokens.keep(subject_token, kept, error.remember_for)
        else:
            self._of_routes.keep(route, kept, error.remember_for)

    def recall(self, key: bytes) -> ProxyError | None:
        """A fresh instance to raise: a shared one would gather every raiser's traceback."""
        error = self._of_tokens.get(key) or self._of_routes.get(key)
        return None if error is None else copy(error)

    async def aclose(self) -> None:
        """Nothing is remembered any more; many refusals are not all let go in one turn of the event loop."""
        await self._of_tokens.aclose()
        await self._of_routes.aclose()
