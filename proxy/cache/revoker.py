"""How a user's access ends: here at once, then at this process's fellow workers and at the other replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

from ..authentication.subject_identifier import Identify
from .replicas import RevocationOwed, SharedTokens
from .revocation import Revocation
from .user_revocations import UserRevocations


class Fellows(Protocol):
    """The other workers behind the same port."""

    async def tell(self, revocations: Sequence[Revocation], taken: bytes | None) -> None:
        """Raises RevocationOwed where one that serves does not say that it has heard.

        ``taken`` is the name of the token that told us, which none is to take again.
        """
        ...


class Revoker:
    """Ends access everywhere; ``fellows`` and ``shared`` are None where there is nobody else."""

    def __init__(
        self, users: UserRevocations, shared: SharedTokens | None, fellows: Fellows | None = None
    ) -> None:
        self._users = users
        self._shared = shared
        self._fellows = fellows

    async def revoke(self, revocations: Sequence[Revocation]) -> int:
        """Returns how many entries there were here. Raises RevocationOwed, with all that was not reached."""
        dropped = self._users.hear(revocations)
        latest = [self._users.latest(revocation) for revocation in revocations]
        told = await asyncio.gather(_try(self._tell_fellows(latest)), _try(self._tell_replicas(latest)))
        if reasons := [owed.reason for owed in told if owed is not None]:
            raise RevocationOwed(", ".join(reasons), dropped)
        return dropped

    async def is_taken(self, token: bytes) -> bool:
        """Whether another replica has taken the token of that name."""
        return self._shared is not None and await self._shared.is_claimed(token)

    async def take(self, token: bytes, seconds: float) -> bool:
        """Nobody is to take it for so long, now that what it says is done; False where another has meanwhile.

        That is told last: what was not done everywhere must be taken again, wherever it then comes.
        """
        await _try(self._tell_fellows((), token))
        return self._shared is None or await self._shared.claim(token, seconds)

    async def _tell_fellows(self, revocations: Sequence[Revocation], taken: bytes | None = None) -> None:
        if self._fellows is not None:
            await self._fellows.tell(revocations, taken)

    async def _tell_replicas(self, revocations: Sequence[Revocation]) -> None:
        if self._shared is not None:
            await self._shared.revoke(*revocations)


class RevokedUsers:
    """Implements the verifier's ``Revoked`` for users whom orgs tell of."""

    def __init__(self, identify: Identify, users: UserRevocations, shared: SharedTokens | None) -> None:
        self.identify = identify
        self.require = users.require
        self._users = users
        self._shared = shared

    async def look_up(self, identifiers: tuple[bytes, ...]) -> None:
        """A replica that has begun only since, or lost what it heard, learns it from what is shared."""
        if self._shared is not None:
            found = await self._shared.recall(identifiers)
            if missing := self._users.missing(found):
                self._users.hear(missing)


async def _try(telling: Awaitable[None]) -> RevocationOwed | None:
    try:
        await telling
    except RevocationOwed as owed:
        return owed
    return None
