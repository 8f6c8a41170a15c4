"""What becomes of a signal that is believed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from proxy.authentication.signal_token import SignalRefused, UnverifiedSignal
from proxy.authentication.subject_identifier import Org, Subject
from proxy.cache.replicas import RevocationOwed
from proxy.cache.revocation import Revocation
from proxy.runtime import Background
from proxy.signals.allowance import Allowance
from proxy.signals.once import Once
from proxy.signals.reception import Reception, Unavailable
from proxy.signals.record import SignalRecord
from tests.support.issuer import StillClock

ORG = Org("https://o", frozenset({"https://o/oauth2/a"}), {"sub": "uid"}, lambda *_: b"owner")
ALICE = (Subject("sub", "alice", "https://o"),)
TOKEN = UnverifiedSignal(cast("Any", None), {}, "an-event")


class Revoker:
    """Answers when it is let; ``claimed`` is what all replicas know."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.claimed: set[bytes] = set()
        self.heard: list[Revocation] = []
        self.failure: Exception | None = None

    async def is_taken(self, token: bytes) -> bool:
        await self.gate.wait()
        return token in self.claimed

    async def take(self, token: bytes, _: float) -> bool:
        new = token not in self.claimed
        self.claimed.add(token)
        return new

    async def revoke(self, revocations: Sequence[Revocation]) -> int:
        self.heard += revocations
        if self.failure is not None:
            raise self.failure
        return 3


class Desk:
    def __init__(self) -> None:
        clock = StillClock()
        self.revoker, self.background = Revoker(), Background()
        self.records: list[SignalRecord] = []
        collaborators: Any = (None, self.revoker, Once(clock), Allowance(clock), self.background)
        self.reception = Reception("okta", ORG, *collaborators, clock, self.records.append)

    def end(self) -> asyncio.Task[None]:
        return asyncio.ensure_future(self.reception.end_access("session_revoked", TOKEN, ALICE, 5.0))


async def test_it_is_done_and_told():
    """Once."""
    desk = Desk()
    await desk.end()
    (record,) = desk.records
    assert (record.outcome, record.purged, record.token_id) == ("ended", 3, "an-event")
    assert [(each.kind, each.not_before) for each in desk.revoker.heard] == [("user", 5.0)]
    with pytest.raises(SignalRefused, match="used before"):
        await desk.end()


async def test_a_sender_that_leaves_ends_access_all_the_same():
    """Its token is taken: it would not be another time."""
    desk = Desk()
    desk.revoker.gate.clear()
    ending = desk.end()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    desk.revoker.gate.set()
    while len(desk.background):
        await asyncio.sleep(0)
    assert len(desk.revoker.heard) == 1
    assert [record.outcome for record in desk.records] == ["ended"]


async def test_what_is_owed_may_come_again():
    """Not everybody was told: the sender is to send the very same."""
    desk = Desk()
    desk.revoker.failure = RevocationOwed("workers, away", 1)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await desk.end()
    assert desk.revoker.claimed == set()
    desk.revoker.failure = None
    await desk.end()
    assert len(desk.revoker.claimed) == 1
    assert [(record.outcome, record.unreached) for record in desk.records] == [
        ("owed", "workers, away"),
        ("owed", "workers, away"),
        ("ended", None),
    ]


async def test_what_has_failed_may_come_again():
    """Whatever it met, also its own end: nothing says that everybody was told."""
    desk = Desk()
    desk.revoker.failure = RuntimeError()
    with pytest.raises(RuntimeError):
        await desk.end()
    desk.revoker.failure = None
    desk.revoker.gate.clear()
    ending = desk.end()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await desk.background.aclose()
    with pytest.raises(asyncio.CancelledError):
        await ending
    desk.revoker.gate.set()
    await desk.end()
    assert [record.outcome for record in desk.records] == ["ended"]


async def test_what_another_replica_has_taken_is_not_taken():
    """The store knows."""
    one, two = Desk(), Desk()
    two.revoker.claimed = one.revoker.claimed
    await one.end()
    with pytest.raises(SignalRefused, match="used before"):
        await two.end()
    assert two.revoker.heard == []


async def test_one_of_two_at_once_is_taken():
    """The very same token, while the store is asked about it."""
    desk = Desk()
    desk.revoker.gate.clear()
    both = [desk.end(), desk.end()]
    await asyncio.sleep(0)
    desk.revoker.gate.set()
    results = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "SignalRefused"]
    assert len(desk.revoker.heard) == 1
