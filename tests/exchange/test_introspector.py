"""Questions about tokens that only their server can read: whose cost what, over real sockets."""

from __future__ import annotations

import asyncio

import pytest

from proxy.errors import AuthorizationServerThrottled, ProxyError
from proxy.exchange.introspector import AT_ONCE, INACTIVE_FOR, MOST_KNOWN

from ..support.exchanging import Exchanging, exchanging
from ..support.issuer import NOW
from ..support.scripted_server import HANG, Asked, answer

ACTIVE = answer(200, {"active": True, "sub": "alice"})
INACTIVE = answer(200, {"active": False, "exp": int(NOW) - 5, "sub": "canary"})
LIMITED = answer(429, {"error": "slow_down"}, retry_after="60")


def introspecting(*script: object) -> Exchanging:
    return exchanging(*script, introspection_url="{}/introspect")


def known(said: bytes | None) -> object:
    """A server that knows the tokens whose name begins with ``known``, and says ``said`` of all others."""

    def say(asked: Asked) -> bytes | None:
        return ACTIVE if asked.form["token"].startswith("known") else said

    return say


async def introspect_all(at: Exchanging, name: str, count: int) -> list[object]:
    tokens = [f"{name}-{number}" for number in range(count)]
    return await asyncio.gather(*map(at.server.introspect, tokens), return_exceptions=True)


async def test_a_token_that_is_not_active_is_asked_about_once():
    """C-18, C-19: for a while; the answer that is kept says no more than is needed."""
    async with introspecting(INACTIVE) as at:
        for _ in range(10):
            answered = await at.server.introspect("garbage")
            assert answered["active"] is False
            assert answered["exp"] == int(NOW) - 5
        assert "canary" not in str(answered)
        assert len(at.asked) == 1
        await at.server.introspect("other garbage")
        assert len(at.asked) == 2
        at.clock.advance(INACTIVE_FOR)
        await at.server.introspect("garbage")
        assert len(at.asked) == 3


async def test_an_active_token_is_asked_about_each_time():
    """C-14: so that it can be withdrawn at once; and it may come back."""
    async with introspecting(ACTIVE, ACTIVE, INACTIVE, ACTIVE) as at:
        said = [(await at.server.introspect("known"))["active"] for _ in range(4)]
        assert said == [True, True, False, False]
        at.clock.advance(INACTIVE_FOR)
        assert (await at.server.introspect("known"))["active"] is True


@pytest.mark.parametrize("active", [None, "true", 1, 0], ids=repr)
async def test_only_true_is_active(active):
    """RFC 7662 §2.2: whatever else is said is remembered as no."""
    async with introspecting(answer(200, {"active": active, "exp": "x"})) as at:
        for _ in range(2):
            assert (await at.server.introspect("t"))["active"] is not True
        assert len(at.asked) == 1


async def test_what_is_no_answer_is_not_remembered():
    """C-18: a server that is busy says nothing about the token."""
    async with introspecting(answer(400, {"error": "invalid_request"}), ACTIVE) as at:
        with pytest.raises(ProxyError):
            await at.server.introspect("t")
        assert (await at.server.introspect("t"))["active"] is True


async def test_strangers_hold_up_nobody_who_is_known():
    """F-01: however many unknown tokens wait for slow answers, a known one is asked about at once."""
    async with introspecting(known(HANG)) as at:
        await introspect_all(at, "known", 20)
        flood = [asyncio.create_task(at.server.introspect(f"garbage-{number}")) for number in range(200)]
        while at.script.in_flight < 4:
            await asyncio.sleep(0)
        assert not [one for one in await introspect_all(at, "known", 20) if isinstance(one, Exception)]
        assert at.script.in_flight <= AT_ONCE
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)


async def test_a_limit_that_strangers_meet_is_theirs():
    """X-23: a 429 for an unknown token closes the gate to such tokens alone, and never that of exchanges."""
    async with introspecting(known(LIMITED)) as at:
        await at.server.introspect("known-1")
        with pytest.raises(AuthorizationServerThrottled):
            await at.server.introspect("garbage")
        with pytest.raises(AuthorizationServerThrottled):
            await at.server.introspect("more garbage")
        assert len(at.asked) == 2
        assert (await at.server.introspect("known-1"))["active"] is True
        assert at.server.status().held_for == 0


async def test_strangers_leave_half_of_the_limit():
    """X-23: below that they are spread over the time that is left; known tokens are not, until little is left."""
    spent = {
        "x_rate_limit_limit": "100",
        "x_rate_limit_remaining": "40",
        "x_rate_limit_reset": str(int(NOW) + 60),
    }
    async with introspecting(
        lambda asked: answer(200, {"active": asked.form["token"].startswith("known")}, **spent)
    ) as at:
        for _ in range(10):
            assert (await at.server.introspect("known"))["active"] is True
        assert at.slept == []
        await introspect_all(at, "garbage", 10)
        assert len(at.slept) > 3


async def test_what_is_remembered_is_bounded():
    """F-36: of either kind of answer."""
    async with introspecting(known(INACTIVE)) as at:
        await at.server.introspect("known")
        await at.server.introspect("garbage")
        introspector = at.server._introspector
        assert {introspector._active.maxsize, introspector._inactive.maxsize} == {MOST_KNOWN}
        assert (len(introspector._active), len(introspector._inactive)) == (1, 1)
