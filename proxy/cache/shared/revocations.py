"""What one replica tells the others of revocations, and hears from them."""

from __future__ import annotations

import os

from ...runtime import Background, Clock
from ..key import CacheKey
from ..replicas import Revocable
from ..revocation import Revocation, Revocations
from ..user_revocations import UserRevocations
from .hearing import Hearing
from .keys import Keys
from .store import Store
from .telling import Teller


class SharedRevocations:
    """Each of an owner's is in force here for ``lasting`` seconds, after which nothing is left that it could revoke.

    ``users`` keeps those of users, which last longer.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        *,
        users: UserRevocations,
        lasting: float,
        clock: Clock,
        background: Background,
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._background = background
        self._name = os.urandom(8).hex()
        self._users = users
        self._in_force = Revocations(lasting, clock)
        self._teller = Teller(self._name, store, keys, lasting=lasting, clock=clock, background=background)
        self._hearing: Hearing | None = None

    @property
    def owed(self) -> int:
        """How many the store has not taken yet."""
        return len(self._teller.owed)

    @property
    def unheard_for(self) -> float:
        """For how long the other replicas' could not be heard, in seconds; 0 for a few."""
        return 0.0 if self._hearing is None else self._hearing.unheard_for

    def bars(self, key: CacheKey) -> bool:
        """Whether what is shared under ``key`` may still be of before a revocation."""
        return self._teller.bars(key.owner) or self._teller.bars(key.actor)

    def not_before(self, key: CacheKey) -> float:
        """What is shared under ``key`` and older counts no more (epoch seconds)."""
        return max(
            self._in_force.not_before("owner", key.owner),
            self._in_force.not_before("owner", key.actor),
            self._users.heard_at(key.identifiers),
        )

    async def revoke(self, *revocations: Revocation) -> None:
        """Here at once. Raises RevocationOwed where the other replicas are not told yet."""
        for revocation in revocations:
            self._in_force.add(revocation)
        await self._teller.tell(*revocations)

    def listen(self, listener: Revocable) -> None:
        """Begin to hear the other replicas'."""
        self._hearing = self.build_hearing(listener)
        self._hearing.start()

    def build_hearing(self, listener: Revocable) -> Hearing:
        return Hearing(
            self._name,
            self._store,
            self._keys,
            listener,
            revocations=self._in_force,
            lost=self._teller.tell_again,
            clock=self._clock,
            background=self._background,
        )

    def take_over(self, before: SharedRevocations) -> None:
        """Owe what ``before``, which ends, has not told yet."""
        self._teller.take_over(before._teller)

    def close(self) -> None:
        self._teller.close()
