"""What was begun with an access token ends with it."""

from __future__ import annotations

import asyncio

import pytest

from proxy.errors import UpstreamBroken
from proxy.exchange.token_exchange import build_access_token
from proxy.gateway.token_lifetime import Lifetime, cut_after
from tests.support.caching import make_subject_token
from tests.support.issuer import NOW, StillClock

ALICE = make_subject_token(expires_at=NOW + 600)


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
    assert Lifetime(StillClock()).left(access_token, subject_token) == left


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
        await cut_after(seconds, relay())
    assert ended.is_set() == relaying.is_set()


@pytest.mark.parametrize("seconds", [5.0, None], ids=["in time", "without an end"])
async def test_what_ends_by_itself_is_left_alone(seconds: float | None):
    """Its own failure is its own."""
    await cut_after(seconds, asyncio.sleep(0))
    with pytest.raises(ConnectionError):
        await cut_after(seconds, fail())


async def fail() -> None:
    raise ConnectionError
