"""Access tokens are renewed, and subject tokens asked about, while the cache serves on."""

import asyncio

import pytest

from proxy.errors import AuthorizationServerUnavailable

from ..support.caching import ALICE, START, Rig, get, make_subject_token, misconfigured, refused, turns


async def test_no_request_waits_while_a_hot_key_is_renewed():
    """C-13: a hit near the end renews in the background, once, with this request's subject token."""
    rig = Rig(revalidate_after=86_400)
    await get(rig.tokens, make_subject_token(value="old"))
    rig.clock.advance(3600 - 30 - 60 - 1)
    current = make_subject_token(value="current")
    assert rig.tokens.cached(current).value == "alice#1"
    assert len(rig.background) == 0
    rig.clock.advance(2)
    rig.source.gate = asyncio.Event()
    for _ in range(10):
        assert rig.tokens.cached(current).value == "alice#1"
        await turns()
    rig.source.gate.set()
    await rig.settle()
    assert rig.tokens.cached(current).value == "alice#2"
    assert [token.value for token in rig.source.asked] == ["old", "current"]
    assert rig.cache.renewals == 1


async def test_a_slow_renewal_is_not_joined_by_another():
    """C-13: one renewal at a time for each key, however long it takes."""
    rig = Rig()
    await get(rig.tokens, ALICE)
    rig.clock.advance(3520)
    rig.source.gate = asyncio.Event()
    for _ in range(8):
        assert rig.tokens.cached(ALICE)
        await turns()
        rig.clock.advance(5)
    rig.source.gate.set()
    await rig.settle()
    assert rig.cache.renewals == 1


async def test_an_idle_key_is_not_renewed():
    """C-13: without a hit nothing is asked for."""
    rig = Rig()
    await get(rig.tokens, ALICE)
    rig.clock.advance(3500)
    await rig.settle()
    assert rig.source.calls == 1


async def test_a_failed_renewal_keeps_the_token_until_its_end_and_pauses():
    """C-13: the authorization server being away shortens nothing, and is asked at most every 5 s."""
    rig = Rig(revalidate_after=86_400)
    await get(rig.tokens, ALICE)
    rig.source.error = AuthorizationServerUnavailable()
    rig.clock.advance(3600 - 30 - 60)
    for _ in range(59):
        assert rig.tokens.cached(ALICE).value == "alice#1"
        await rig.settle()
        rig.clock.advance(1)
    assert rig.source.calls == 1 + 12
    rig.clock.advance(1)
    assert rig.tokens.cached(ALICE) is None


async def test_a_renewal_that_cannot_gain_is_not_made():
    """C-13: where the subject token's own end ends the entry, only a fresher one is worth an exchange."""
    rig = Rig(revalidate_after=86_400)
    old = make_subject_token(value="old", expires_at=START + 600)
    await get(rig.tokens, old)
    rig.clock.advance(560)
    assert rig.tokens.cached(old)
    await rig.settle()
    assert rig.source.calls == 1
    fresh = make_subject_token(value="fresh", expires_at=START + 4000)
    assert rig.tokens.cached(fresh).value == "alice#1"
    await rig.settle()
    assert rig.source.calls == 2
    rig.clock.advance(100)
    assert rig.tokens.cached(fresh).value == "alice#2"


async def test_a_request_after_the_end_joins_the_renewal_under_way():
    """C-06, C-13: the exchange that renews also serves those for whom it came too late."""
    rig = Rig()
    await get(rig.tokens, ALICE)
    rig.clock.advance(3560)
    rig.source.gate = asyncio.Event()
    assert rig.tokens.cached(ALICE)
    rig.clock.advance(20)
    caller = asyncio.create_task(get(rig.tokens, ALICE))
    await turns()
    rig.source.gate.set()
    assert (await caller).value == "alice#2"
    assert rig.source.calls == 2


@pytest.mark.parametrize("error", [refused(), misconfigured()], ids=["refused", "misconfigured"])
async def test_a_refused_revalidation_ends_the_entry_at_once(error):
    """C-14: a hit older than revalidate_after asks again; a refusal ends the user's access."""
    rig = Rig()
    await get(rig.tokens, ALICE)
    rig.source.error = error
    rig.clock.advance(299)
    assert rig.tokens.cached(ALICE)
    await rig.settle()
    assert rig.source.calls == 1
    rig.clock.advance(1)
    assert rig.tokens.cached(ALICE)
    await rig.settle()
    assert rig.tokens.cached(ALICE) is None
    with pytest.raises(type(error)):
        await get(rig.tokens, ALICE)
    assert rig.source.calls == 2


async def test_a_revalidation_that_meets_nobody_changes_nothing():
    """C-14: an authorization server that cannot be reached leaves the entry until it truly ends."""
    rig = Rig()
    await get(rig.tokens, ALICE)
    rig.source.error = AuthorizationServerUnavailable()
    for _ in range(11):
        rig.clock.advance(300)
        assert rig.tokens.cached(ALICE).value == "alice#1"
        await rig.settle()
    rig.clock.advance(300)
    assert rig.tokens.cached(ALICE) is None


async def test_a_revalidation_happens_though_nothing_can_be_gained():
    """C-14: the subject token's end bounds the entry, but the verdict may have changed."""
    rig = Rig()
    user = make_subject_token(expires_at=START + 1000)
    await get(rig.tokens, user)
    rig.clock.advance(300)
    assert rig.tokens.cached(user)
    await rig.settle()
    assert rig.source.calls == 2


async def test_a_refused_renewal_leaves_what_came_in_its_place():
    """C-15: only the entry that was to be renewed is dropped, never a newer one."""
    rig = Rig()
    bad, good = make_subject_token(value="bad"), make_subject_token(value="good")
    await get(rig.tokens, good)
    rig.clock.advance(300)
    rig.source.refuse = lambda token: refused() if token is bad else None
    rig.source.gate = asyncio.Event()
    rig.tokens.cached(bad)
    await turns()
    old = rig.tokens.cached(good)
    assert rig.tokens.reject(good, old)
    caller = asyncio.create_task(rig.tokens.obtain(good))
    await turns()
    rig.source.gate.set()
    assert (await caller).value == "alice#3"
    assert rig.tokens.cached(good).value == "alice#3"
