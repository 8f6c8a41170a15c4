"""What replicas share of the token cache, as a port: one exchange for all of them, forgotten by all at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .revocation import Revocation

if TYPE_CHECKING:
    from .key import CacheKey
    from .single_flight import Outcome


@dataclass(slots=True)
class Answer:
    """What the authorization server said to ``asker`` at ``obtained_at``; both times are epoch seconds."""

    outcome: Outcome
    subject_expires_at: float
    obtained_at: float
    asker: bytes


class RevocationOwed(Exception):
    """Others may not know of a revocation yet: ``reason`` is why. It takes effect here all the same.

    ``away`` and ``refused`` (full, or read-only) is the store, which is tried on, so other replicas may not know; after
    ``overflow`` the revocation must be asked for again. ``workers`` behind the same port have not said that they heard
    of it. ``dropped`` is how many entries there were here.
    """

    def __init__(self, reason: str, dropped: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.dropped = dropped


class Revocable(Protocol):
    """A cache of one replica, which others' revocations reach."""

    def hear(self, revocations: Sequence[Revocation]) -> int:
        """Drop what they revoke. Returns how many entries there were."""
        ...

    def doubt(self, seconds: float) -> None:
        """Some may not have been heard: renew whatever is there within that time."""
        ...


class SharedTokens(Protocol):
    """Tokens of all replicas. Where it cannot help, it is as if it were not there; only ``revoke`` raises."""

    async def share(
        self, key: CacheKey, asker: bytes, unwanted: str | None, grant: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Another replica's answer for ``key``, or a refusal for ``asker``, else what ``grant`` answers.

        ``unwanted`` is an access token that is known already and shall not be given again.
        """
        ...

    async def forget(self, key: CacheKey) -> None:
        """Drop what is shared under ``key``; where that fails, the next replica to find it renews it."""
        ...

    async def revoke(self, *revocations: Revocation) -> None:
        """Drop all that is shared and was obtained before, here at once, and tell the other replicas.

        Raises RevocationOwed where they are not told yet.
        """
        ...

    async def recall(self, identifiers: Sequence[bytes]) -> Sequence[Revocation]:
        """What was revoked of that user, as far as it can be told in time."""
        ...

    async def claim(self, name: bytes, seconds: float) -> bool:
        """Whether no other replica has claimed ``name`` within that time; True also where nobody can be asked."""
        ...

    async def is_claimed(self, name: bytes) -> bool:
        """Whether another has; False where nobody can be asked."""
        ...
