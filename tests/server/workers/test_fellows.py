"""News of revocations between workers: batched, answered, and never piled up for one that does not listen."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from proxy.cache.replicas import RevocationOwed
from proxy.cache.revocation import Revocation
from proxy.config.models import Settings
from proxy.server.workers import fellows
from proxy.server.workers.channel import Channel, News
from proxy.server.workers.fellows import FellowWorkers
from proxy.server.workers.place import Place

ALICE, BOB, CAROL = (Revocation("user", bytes([number]) * 32, 1.0) for number in range(3))


class FakeChannel:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []

    def say(self, word: str, value: Any = None) -> None:
        self.said.append((word, value))


def build_fellows() -> tuple[FellowWorkers, FakeChannel]:
    channel = FakeChannel()
    return FellowWorkers(cast("Channel", channel)), channel


def build_place() -> tuple[Place, FakeChannel]:
    """One whose process serves; all that was ever revoked is carol's."""
    place, channel = Place(1, lambda: cast("Settings", None), lambda: News((CAROL,))), FakeChannel()
    place._channel = cast("Channel", channel)
    place.serving = True
    return place, channel


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_meanwhile_travels_together():
    """One batch is under way at a time; each who told waits for the answer to its own."""
    workers, channel = build_fellows()
    first = asyncio.ensure_future(workers.tell([ALICE], b"one"))
    await turns()
    others = [asyncio.ensure_future(workers.tell([each], None)) for each in (BOB, CAROL)]
    await turns()
    assert channel.said == [("revoked", (1, News((ALICE,), (b"one",))))]
    workers.note("told", (1, True), lambda _: None)
    await first
    assert channel.said[1:] == [("revoked", (2, News((BOB, CAROL), ())))]
    workers.note("told", (1, True), lambda _: None)  # an answer twice
    workers.note("told", (2, False), lambda _: None)
    for each in others:
        with pytest.raises(RevocationOwed, match="workers"):
            await each


async def test_no_answer_is_none(monkeypatch: pytest.MonkeyPatch):
    """A supervisor that says nothing has told nobody."""
    monkeypatch.setattr(fellows, "PATIENCE", 0.01)
    workers, _ = build_fellows()
    with pytest.raises(RevocationOwed, match="workers"):
        await workers.tell([ALICE], None)


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """Beyond the bound it is told at once that it was not told."""
    monkeypatch.setattr(fellows, "MOST", 1)
    workers, _ = build_fellows()
    telling = [asyncio.ensure_future(workers.tell([each], each.key)) for each in (ALICE, BOB)]
    await turns()
    for more in (([CAROL], None), ([], CAROL.key)):
        with pytest.raises(RevocationOwed, match="workers"):
            await asyncio.wait_for(workers.tell(*more), 0.1)
    for each in telling:
        each.cancel()


async def test_a_worker_says_that_it_has_heard():
    """Once it has acted."""
    workers, channel = build_fellows()
    heard: list[News] = []
    workers.note("revoke", (7, News((ALICE,))), heard.append)
    assert (heard, channel.said) == ([News((ALICE,))], [("heard", 7)])


async def test_one_that_does_not_answer_is_told_all_once_it_does(monkeypatch: pytest.MonkeyPatch):
    """Whoever told is told so; nothing is piled up, and nothing is missed."""
    monkeypatch.setattr("proxy.server.workers.place._HEARING_TIMEOUT", 0.01)
    place, channel = build_place()
    assert not any([await place.pass_on(News((ALICE,))) for _ in range(20)])
    assert len(channel.said) == 4
    for number in range(1, 5):
        place._note("heard", number)
    assert channel.said[4:] == [("revoke", (5, News((CAROL,))))]
    place._note("heard", 5)
    assert len(channel.said) == 5
    passing = asyncio.ensure_future(place.pass_on(News((BOB,))))
    await turns()
    place._note("heard", 6)
    assert await passing


async def test_one_that_begins_is_told_before_it_is_handed_a_connection():
    """What came between its settings and its first word."""
    place, channel = build_place()
    place.serving = False
    assert await place.pass_on(News((ALICE,)))
    assert channel.said == []
    place._note("ready", None)
    assert channel.said == [("revoke", (1, News((CAROL,))))]
    assert place.serving
