"""Replicas of the token cache over one store, in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from proxy.authentication.subject_token import SubjectToken
from proxy.cache.shared.sealing import SealingKey
from proxy.cache.shared.shared_cache import SharedCache
from proxy.cache.shared.valkey import connect
from proxy.cache.user_revocations import UserRevocations

from .caching import Rig, make_subject_token

ALICE = make_subject_token("alice")
BOB = make_subject_token("bob")
KEYS = (SealingKey(b"\x01" * 32),)
NEW_KEY = SealingKey(b"\x02" * 32)


class Replica(Rig):
    """A proxy of its own, with a source whose tokens name it."""

    def __init__(
        self, url: str, keys: Sequence[SealingKey] = KEYS, budget: float = 5.0, **settings: object
    ) -> None:
        super().__init__(**settings)
        self.store = connect(url)
        self.users = UserRevocations(self.clock)
        self.users.follow(self.cache)
        self.shared = SharedCache(
            self.store,
            lambda: keys,
            users=self.users,
            max_ttl=3600,
            clock=self.clock,
            background=self.background,
            budget=budget,
        )
        self.cache.shared = self.shared
        self.hearing = self.shared.revocations.build_hearing(self.users)  # looks when told to

    def forget_all(self) -> None:
        """Its own entries, not what is shared."""
        entries = self.cache._entries
        for entry in tuple(entries.all()):
            entries.remove(entry.digest)

    async def get(self, subject_token: SubjectToken) -> str:
        token = self.tokens.cached(subject_token) or await self.tokens.obtain(subject_token)
        return token.value


@asynccontextmanager
async def replicas(
    url: str, number: int = 2, keys: Sequence[SealingKey] = KEYS, **settings: object
) -> AsyncIterator[list[Replica]]:
    running = [Replica(url, keys, **settings) for _ in range(number)]
    try:
        yield running
    finally:
        for replica in running:
            await replica.background.aclose()
            await replica.shared.aclose()
