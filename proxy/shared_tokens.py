"""What replicas share of the token cache, as a port: one exchange for all of them, forgotten by all at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from .cache_key import CacheKey
from .flights import Outcome


@dataclass(frozen=True, slots=True)
class Answer:
    """What the authorization server said to ``asker`` at ``obtained_at``; both times are epoch seconds."""

    outcome: Outcome
    subject_expires_at: float
    obtained_at: float
    asker: bytes


class SharedTokens(Protocol):
    """Tokens of all replicas. It never raises: where it cannot help, it is as if it were not there."""

    async def share(
        self, key: CacheKey, asker: bytes, unwanted: str | None, grant: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Another replica's answer for ``key``, or a refusal for ``asker``, else what ``grant`` answers.

        ``unwanted`` is an access token that is known already and shall not be given again.
        """
        ...

    async def forget(self, key: CacheKey) -> None:
        """Drop what is shared under ``key``."""
        ...

    async def purge(self, owner: bytes) -> None:
        """Drop all that is shared of ``owner``, and what is being exchanged for them."""
        ...
