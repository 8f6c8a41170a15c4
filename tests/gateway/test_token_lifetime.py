"""What was begun with an access token ends with it."""

from __future__ import annotations

import asyncio

import pytest

from proxy.cache.key import build_owner
from proxy.cache.user_revocations import UserRevocations
from proxy.errors import UpstreamBroken
from proxy.exchange.token_exchange import build_access_token
from proxy.gateway.open_streams import OpenStreams
from proxy.gateway.token_lifetime import Lifetime
from tests.support.caching import make_subject_token
from tests.support.issuer import NOW, StillClock

ALICE = make_subject_token(expires_at=NOW + 600)
REVOKED = "the user's access was revoked"


def build() -> tuple[Lifetime, OpenStreams]:
    clock = StillClock()
    streams = OpenStreams(UserRevocations(clock))
    return Lifetime(clock, streams), streams


@pytest.mark.parametrize(
    ("access_token", "subject_token", "left"),
    [
        (build_access_token("t", "Bearer", NOW + 60, ()), ALICE, 60),
        (build_access_token("t", "Bearer", NOW + 900, ()), ALICE, 900),
        (build_access_token("t", "Bearer", NOW - 1, ()), ALICE, -1),
        (build_access_token("t", "Bearer", None, ()), ALICE, 600),
        (None, ALICE, 600),
        (build_access_token("t", "Bearer", None, ()), None, None),
        (None, None, None),
    ],
    ids=["told", "longer than the user's", "over", "not told", "no token sent", "no user", "neither"],
)
def test_how_long_is_left(access_token, subject_token, left):
    """H-64: by the access token's end where it is known, else by the subject token's."""
    lifetime, _ = build()
    assert lifetime.left(access_token, subject_token) == left


@pytest.mark.parametrize("seconds", [0.01, 0.0, -5.0])
async def test_what_lasts_too_long_breaks_off(seconds: float):
    """H-64, F-10: as a response that is cut, and what was running is cancelled."""
    relaying = asyncio.Event()
    ended = asyncio.Event()

    async def relay() -> None:
        relaying.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(UpstreamBroken, match="the access token has ended"):
        await build()[0].cut_after(seconds, ALICE, relay())
    assert ended.is_set() == relaying.is_set()


@pytest.mark.parametrize("seconds", [5.0, None], ids=["in time", "without an end"])
async def test_what_ends_by_itself_is_left_alone(seconds: float | None):
    """Its own failure is its own."""
    lifetime, streams = build()
    for user in (ALICE, None):
        await lifetime.cut_after(seconds, user, asyncio.sleep(0))
        with pytest.raises(ConnectionError):
            await lifetime.cut_after(seconds, user, fail())
    assert len(streams) == 0


async def test_the_end_of_the_users_access_breaks_off():
    """H-64: what is running at that moment; nothing is left to be cut."""
    lifetime, streams = build()
    relaying = asyncio.ensure_future(lifetime.cut_after(None, ALICE, asyncio.Event().wait()))
    await asyncio.sleep(0)
    streams.end(build_owner("https://elsewhere.example", ALICE.subject))
    streams.end(build_owner(ALICE.issuer, ALICE.subject))
    with pytest.raises(UpstreamBroken, match=REVOKED):
        await relaying
    assert len(streams) == 0


async def test_a_websocket_is_told_of_it():
    """H-64: by the code and reason that both sides are closed with."""
    lifetime, streams = build()
    with lifetime.until_revoked(ALICE) as revoked, lifetime.until_revoked(None) as never:
        for _ in range(2):
            streams.end(build_owner(ALICE.issuer, ALICE.subject))
        assert not never.done()
    end = revoked.exception()
    assert (end.code, end.reason) == (1008, REVOKED)


async def fail() -> None:
    raise ConnectionError
