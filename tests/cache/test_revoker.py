"""How far a revocation reaches, and what is said where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from proxy.cache.replicas import RevocationOwed
from proxy.cache.revocation import Revocation
from proxy.cache.revoker import RevokedUsers, Revoker
from proxy.cache.user_revocations import UserRevocations
from tests.support.issuer import StillClock

EARLIER, LATER = (Revocation("user", bytes(32), at) for at in (1.0, 2.0))


class Others:
    """Fellow workers, or replicas: they keep what they hear, and may fail."""

    def __init__(self, reason: str = "") -> None:
        self.heard: list[Revocation] = []
        self.taken: list[bytes] = []
        self.reason = reason

    async def tell(self, revocations: Sequence[Revocation], taken: bytes | None) -> None:
        self.taken += [] if taken is None else [taken]
        await self.revoke(*revocations)

    async def revoke(self, *revocations: Revocation) -> None:
        self.heard += revocations
        if self.reason:
            raise RevocationOwed(self.reason)

    async def recall(self, _: Sequence[bytes]) -> Sequence[Revocation]:
        return self.heard

    async def claim(self, name: bytes, _: float) -> bool:
        return name not in self.taken

    async def is_claimed(self, name: bytes) -> bool:
        return name in self.taken


def build(fellows: Others | None, shared: Others | None) -> Revoker:
    return Revoker(UserRevocations(StillClock()), cast("Any", shared), fellows)


async def test_all_hear_the_latest():
    """Events overtake each other; nobody is told less than is known here."""
    fellows, shared = Others(), Others()
    revoker = build(fellows, shared)
    await revoker.revoke([LATER])
    await revoker.revoke([EARLIER])
    assert fellows.heard == shared.heard == [LATER, LATER]


@pytest.mark.parametrize(
    ("fellows", "shared", "reason"),
    [("workers", "", "workers"), ("", "away", "away"), ("workers", "refused", "workers, refused")],
)
async def test_what_was_not_reached_is_said(fellows: str, shared: str, reason: str):
    """One that fails does not keep the other from being told."""
    both = Others(fellows), Others(shared)
    with pytest.raises(RevocationOwed) as owed:
        await build(*both).revoke([LATER])
    assert owed.value.reason == reason
    assert [each.heard for each in both] == [[LATER]] * 2


async def test_tokens_are_taken_everywhere():
    """By fellows, who may fail, and in the store, which decides."""
    fellows, shared = Others("workers"), Others()
    revoker = build(fellows, shared)
    assert not await revoker.is_taken(b"x")
    assert await revoker.take(b"x", 1.0)
    assert fellows.taken == [b"x"]
    shared.taken.append(b"x")
    assert await revoker.is_taken(b"x")
    assert not await revoker.take(b"x", 1.0)
    assert await build(None, None).take(b"x", 1.0)
    assert not await build(None, None).is_taken(b"x")


async def test_what_others_know_is_learnt():
    """By whoever looks a user up; what is known already is heard no second time."""
    users, shared = UserRevocations(StillClock()), Others()
    revoked = RevokedUsers(lambda _: (), users, cast("Any", shared))
    shared.heard = [EARLIER, LATER]
    await revoked.look_up((bytes(32),))
    assert users.not_before((bytes(32),)) == LATER.not_before
    users.hear = pytest.fail
    await revoked.look_up((bytes(32),))
    await RevokedUsers(lambda _: (), users, None).look_up((bytes(32),))
