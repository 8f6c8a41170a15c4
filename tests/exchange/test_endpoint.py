"""A bad day at the token URL: faults, limits, lessons. Real sockets, time under the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate

import pytest

from proxy.config import models
from proxy.errors import (
    AuthorizationServerThrottled,
    AuthorizationServerTimeout,
    AuthorizationServerUnavailable,
    ExchangeMisconfigured,
    ProxyError,
    SubjectTokenRefused,
)
from proxy.exchange.bulkhead import FIRST, MOST
from proxy.exchange.circuit_breaker import FAILURES, PAUSE, PROBE_EVERY
from proxy.exchange.endpoint import TRIES
from proxy.exchange.token_exchange import TokenRequest
from proxy.jose.private_keys import generate_key, pem

from ..support.exchanging import ALICE, GOOD, REQUEST, Exchanging, exchanging, make_subject_token
from ..support.issuer import NOW
from ..support.scripted_server import DRIP, HANG, RESET, Asked, answer

BUSY = answer(400, {"error": "temporarily_unavailable"})
BROKEN = answer(503, body=b"<html>")
NO_NONCE = answer(400, {"error": "use_dpop_nonce"}, dpop_nonce="n1")
BAD_CLIENT = answer(401, {"error": "invalid_client"})


async def grant_all(at: Exchanging, count: int, first: int = 0) -> list[object]:
    users = [make_subject_token(str(number)) for number in range(first, first + count)]
    return await asyncio.gather(*(at.server.grant(REQUEST, user) for user in users), return_exceptions=True)


def limited(seconds: float, **fields: str) -> bytes:
    reset = str(int(NOW + seconds))
    document = {
        "errorCode": "E0000047",
        "errorSummary": "API call exceeded rate limit due to too many requests.",
    }
    return answer(
        429,
        document,
        x_rate_limit_limit="100",
        x_rate_limit_remaining="0",
        x_rate_limit_reset=reset,
        **fields,
    )


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "key.pem"
    file.write_bytes(pem(generate_key("ES256")))
    return file


@pytest.fixture
def signing(key_file) -> models.Client:
    return models.Client(id="0oa9", auth="private_key_jwt", private_key_file=key_file)


@pytest.mark.parametrize("fault", [BUSY, BROKEN, RESET, answer(500, {"error": "server_error"})])
async def test_faults_are_tried_again(fault):
    """§3.1: twice at most, with jitter; the caller sees only that it worked."""
    async with exchanging(fault, fault, GOOD) as at:
        assert await at.server.grant(REQUEST, ALICE)
        assert at.slept == [0.1, 0.2]
        assert at.records[0].tries == 3


async def test_faults_are_tried_no_more_than_twice_again():
    """§3.1: then it is a 503 with Retry-After."""
    async with exchanging(BROKEN) as at:
        with pytest.raises(AuthorizationServerUnavailable) as refused:
            await at.server.grant(REQUEST, ALICE)
        assert len(at.asked) == TRIES
        assert refused.value.retry_after


async def test_refusals_are_not_tried_again():
    """§3.1: a 4xx is an answer."""
    async with exchanging(answer(400, {"error": "invalid_grant"})) as at:
        with pytest.raises(SubjectTokenRefused):
            await at.server.grant(REQUEST, ALICE)
        assert len(at.asked) == 1


async def test_nothing_signed_is_used_twice(signing):
    """X-09, D-03: each try has an assertion and a proof of its own."""
    async with exchanging(BROKEN, BROKEN, GOOD, client=signing, dpop=True) as at:
        await at.server.grant(REQUEST, ALICE)
        for name in ("client_assertion", "dpop"):
            assert len({asked.claims_of(name)["jti"] for asked in at.asked}) == 3
        assert at.asked[0].claims_of("client_assertion")["aud"] == at.script.url + "/token"


async def test_one_budget_for_all_tries():
    """§3.1: what began as a fault and ends in silence is told as the fault it was."""
    async with exchanging(BROKEN, HANG, timeout=0.1) as at:
        with pytest.raises(AuthorizationServerUnavailable):
            await at.server.grant(REQUEST, ALICE)


# --- DPoP


async def test_the_nonce_dance():
    """D-02: one more try, invisible; the nonce is kept, also a newer one that a 200 brings."""
    async with exchanging(
        NO_NONCE, answer(200, {"access_token": "a", "token_type": "DPoP"}, dpop_nonce="n2"), dpop=True
    ) as at:
        await at.server.grant(REQUEST, ALICE)
        await at.server.grant(REQUEST, ALICE)
        assert [asked.claims_of("dpop").get("nonce") for asked in at.asked] == [None, "n1", "n2"]
        assert at.slept == []
        assert at.server.status().dpop_nonce_known


async def test_the_dance_ends():
    """D-02: a server that is never content gets two calls."""
    async with exchanging(NO_NONCE, dpop=True) as at:
        with pytest.raises(ExchangeMisconfigured):
            await at.server.grant(REQUEST, ALICE)
        assert len(at.asked) == 2


async def test_a_demand_without_a_nonce_teaches_nothing():
    """D-02: and is not tried again."""
    async with exchanging(answer(400, {"error": "use_dpop_nonce"}), dpop=True) as at:
        with pytest.raises(ExchangeMisconfigured):
            await at.server.grant(REQUEST, ALICE)
        assert len(at.asked) == 1


async def test_a_cold_start_asks_for_the_nonce_once():
    """D-02: 100 at once, at most two without a nonce."""

    def demand(asked: Asked) -> bytes:
        return GOOD if "nonce" in asked.claims_of("dpop") else NO_NONCE

    async with exchanging(demand, dpop=True) as at:
        assert not [one for one in await grant_all(at, 100) if isinstance(one, Exception)]
        assert sum("nonce" not in asked.claims_of("dpop") for asked in at.asked) <= 2


async def test_servers_without_nonces_hold_up_nobody():
    """D-02: once a proof was answered without one, calls go side by side."""
    together = asyncio.Barrier(2)

    async def meet(_: Asked) -> bytes:
        await together.wait()
        return GOOD

    async with exchanging(GOOD, meet, dpop=True) as at:
        await at.server.grant(REQUEST, ALICE)
        assert not [one for one in await grant_all(at, 2) if isinstance(one, Exception)]


# --- the server's clock, and our secret


@pytest.mark.parametrize("drift", [-90, 90, 7200])
async def test_the_servers_clock_is_learnt_when_it_complains(signing, drift):
    """X-10: the second try is dated by its Date; the offset is remembered."""

    def by_its_clock(asked: Asked) -> bytes:
        date = formatdate(NOW + drift, usegmt=True)
        off = abs(asked.claims_of("client_assertion")["iat"] - NOW - drift) > 5
        return answer(401, {"error": "invalid_client"}, date=date) if off else GOOD

    async with exchanging(by_its_clock, client=signing) as at:
        await at.server.grant(REQUEST, ALICE)
        await at.server.grant(REQUEST, ALICE)
        assert len(at.asked) == 3
        assert at.server.status().clock_offset == pytest.approx(drift, abs=1)


async def test_a_proofs_clock_is_learnt_too():
    """X-10: invalid_dpop_proof is tried once more where the clocks differ, and not where they agree."""
    early = answer(400, {"error": "invalid_dpop_proof"}, date=formatdate(NOW - 60, usegmt=True))
    async with exchanging(early, GOOD, early, dpop=True) as at:
        await at.server.grant(REQUEST, ALICE)
        assert at.asked[1].claims_of("dpop")["iat"] == int(NOW) - 60
        with pytest.raises(ExchangeMisconfigured):
            await at.server.grant(REQUEST, ALICE)
        assert len(at.asked) == 3


async def test_a_refused_secret_is_not_tried_again():
    """§3.1: whatever the server's clock says, for a secret has none."""
    refusal = answer(401, {"error": "invalid_client"}, date=formatdate(NOW - 900, usegmt=True))
    async with exchanging(refusal) as at:
        with pytest.raises(ExchangeMisconfigured) as refused:
            await at.server.grant(REQUEST, ALICE)
        assert len(at.asked) == 1
        assert (refused.value.remember_by, refused.value.remember_for) == ("route", 10.0)


@pytest.mark.parametrize("auth", ["client_secret_post", "private_key_jwt"])
async def test_a_rotated_secret_is_read_at_once(tmp_path, auth):
    """X-11: swapped while a request was under way, it counts for that request too."""
    file = tmp_path / "secret"

    def credential() -> bytes:
        return pem(generate_key("ES256")) if auth == "private_key_jwt" else b"new"

    def rotate(_: Asked) -> bytes:
        (tmp_path / "next").write_bytes(credential())
        (tmp_path / "next").replace(file)
        return BAD_CLIENT

    file.write_bytes(credential() if auth == "private_key_jwt" else b"old")
    name = "private_key_file" if auth == "private_key_jwt" else "secret_file"
    client = models.Client(id="0oa9", auth=auth, **{name: file})
    async with exchanging(rotate, GOOD, client=client) as at:
        await at.server.grant(REQUEST, ALICE)
        assert len(at.asked) == 2
        assert at.asked[0].form != at.asked[1].form


async def test_a_secret_rotated_again_and_again_is_tried_once(tmp_path):
    """X-11: one lesson a call."""
    file = tmp_path / "secret"
    file.write_bytes(b"0")

    def rotate(asked: Asked) -> bytes:
        (tmp_path / "next").write_bytes(asked.form["client_secret"].encode() + b"1")
        (tmp_path / "next").replace(file)
        return BAD_CLIENT

    client = models.Client(id="0oa9", auth="client_secret_post", secret_file=file)
    async with exchanging(rotate, client=client) as at:
        with pytest.raises(ExchangeMisconfigured):
            await at.server.grant(REQUEST, ALICE)
        assert len(at.asked) == 2


@pytest.mark.parametrize("content", [None, b"", b"\xff"])
async def test_credentials_that_cannot_be_read(tmp_path, content):
    """§3.1: ours to mend; the server hears nothing of it."""
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    client = models.Client(id="0oa9", secret_file=tmp_path / "secret")
    async with exchanging(GOOD, client=client) as at:
        with pytest.raises(ExchangeMisconfigured, match="cannot be read") as refused:
            await at.server.grant(REQUEST, ALICE)
        assert refused.value.remedy
        assert at.asked == []


# --- limits


async def test_one_429_closes_the_gate_for_all():
    """X-23: 200 wait, the limit is spent: at most five calls until the reset, and everybody hears of it."""
    async with exchanging(limited(3)) as at:
        errors = await grant_all(at, 200)
        assert {type(error) for error in errors} == {AuthorizationServerThrottled}
        assert all(1 <= error.retry_after <= 4 for error in errors)
        assert len(at.asked) <= 5
        at.clock.advance(2)
        with pytest.raises(AuthorizationServerThrottled):
            await at.server.grant(REQUEST, ALICE)
        assert len(at.asked) <= 5
        assert at.server.status().held_for > 0
        at.script.script = (GOOD,)
        at.clock.advance(3)
        assert await at.server.grant(REQUEST, ALICE)


async def test_a_warm_server_that_turns_is_met_by_few():
    """X-23: however many were served before, the next burst begins small."""
    async with exchanging(GOOD) as at:
        await grant_all(at, 200)
        before = len(at.asked)
        at.script.script = (limited(3),)
        await grant_all(at, 200)
        assert len(at.asked) - before <= FIRST


async def test_a_503_may_name_its_time():
    """Contract 4: 503 with Retry-After holds the others back and is not tried again."""
    async with exchanging(answer(503, retry_after="7")) as at:
        with pytest.raises(AuthorizationServerUnavailable) as refused:
            await at.server.grant(REQUEST, ALICE)
        assert refused.value.retry_after == 7
        with pytest.raises(AuthorizationServerThrottled):
            await at.server.grant(REQUEST, ALICE)
        assert len(at.asked) == 1


async def test_what_is_left_of_the_limit_is_spread():
    """X-23: below a tenth, calls wait for their turn; those that would wait too long are told when."""
    scarce = answer(
        200,
        {"access_token": "a", "token_type": "Bearer"},
        x_rate_limit_limit="100",
        x_rate_limit_remaining="3",
        x_rate_limit_reset=str(int(NOW) + 60),
    )
    async with exchanging(scarce) as at:
        await at.server.grant(REQUEST, ALICE)
        errors = [one for one in await grant_all(at, 10) if isinstance(one, ProxyError)]
        assert len(errors) == 9
        assert {type(error) for error in errors} == {AuthorizationServerThrottled}


async def test_never_more_than_so_many_at_once():
    """F-01: the bulkhead holds whatever happens."""
    async with exchanging(GOOD) as at:
        results = await grant_all(at, 300)
        assert not [one for one in results if isinstance(one, Exception)]
        assert at.script.most_in_flight <= MOST


async def test_waiting_for_a_turn_ends_with_the_budget():
    """F-01: who never got a turn hears so within the deadline; the server is not blamed for it."""
    async with exchanging(HANG, timeout=0.2) as at:
        errors = await grant_all(at, 8)
        kinds = [type(error) for error in errors]
        assert kinds.count(AuthorizationServerTimeout) >= 1
        assert set(kinds) <= {AuthorizationServerTimeout, AuthorizationServerUnavailable}
        assert len(at.asked) <= 8


# --- the breaker


async def test_a_server_that_is_gone_is_left_alone_and_found_again():
    """F-01: after failures in a row nobody waits; one probe a second; the first success ends it."""
    async with exchanging(BROKEN) as at:
        for number in range(FAILURES):
            with pytest.raises(AuthorizationServerUnavailable):
                await at.server.grant(REQUEST, make_subject_token(f"early{number}"))
        before = len(at.asked)
        errors = await grant_all(at, 50)
        assert {type(error) for error in errors} == {AuthorizationServerUnavailable}
        assert len(at.asked) == before
        assert at.server.status().breaker_open
        at.clock.advance(PROBE_EVERY)
        await grant_all(at, 50)
        assert len(at.asked) == before + 1
        at.clock.advance(PROBE_EVERY)
        await grant_all(at, 50, first=50)
        assert len(at.asked) == before + 2
        at.script.script = (GOOD,)
        at.clock.advance(PROBE_EVERY)
        assert await at.server.grant(REQUEST, ALICE)
        assert not [one for one in await grant_all(at, 50) if isinstance(one, Exception)]


async def test_refusals_do_not_open_the_breaker():
    """F-01: a server that says no is there."""
    async with exchanging(answer(400, {"error": "invalid_grant"})) as at:
        for _ in range(FAILURES * 2):
            with pytest.raises(SubjectTokenRefused):
                await at.server.grant(REQUEST, ALICE)


MALLORY = make_subject_token("mallory")


def choke(fault: bytes | None) -> Callable[[Asked], bytes | None]:
    """A server that answers everybody but mallory."""

    def say(asked: Asked) -> bytes | None:
        return fault if asked.form.get("subject_token") == MALLORY.value else GOOD

    return say


@pytest.mark.parametrize("fault", [BROKEN, RESET, answer(500, {"error": "server_error"})])
async def test_a_token_that_the_server_chokes_on_is_one_users_trouble(fault):
    """F-01: whoever has it waits between two tries; the others, all new, do not notice."""
    async with exchanging(choke(fault)) as at:
        mallorys, served = 0, []
        for number in range(60):
            with pytest.raises(AuthorizationServerUnavailable) as refused:
                await at.server.grant(REQUEST, MALLORY)
            assert refused.value.retry_after
            if number % 10 == 9:  # so that mallory has failed often in a row
                served.append(await at.server.grant(REQUEST, make_subject_token(f"new{number}")))
            at.clock.advance(0.5)
        mallorys = sum(asked.form["subject_token"] == MALLORY.value for asked in at.asked)
        assert len(served) == 6
        assert mallorys <= TRIES * (at.clock.passed - 1000) / PAUSE + TRIES
        assert not at.server.status().breaker_open


async def test_one_users_slow_calls_leave_room_for_the_others():
    """F-01: whom the server keeps waiting, on however many routes, keeps nobody else waiting."""
    async with exchanging(choke(HANG), timeout=2.0) as at:
        requests = [replace(REQUEST, audience=(f"api://{number}",)) for number in range(FIRST * 2)]
        slow = [asyncio.create_task(at.server.grant(request, MALLORY)) for request in requests]
        while len(at.asked) < FIRST // 2:
            await asyncio.sleep(0)
        assert not [one for one in await grant_all(at, 20) if isinstance(one, Exception)]
        assert not any(task.done() for task in slow)
        errors = await asyncio.gather(*slow, return_exceptions=True)
        assert all(isinstance(error, ProxyError) for error in errors)
        assert (at.server.status().in_flight, at.server.status().waiting) == (0, 0)


async def test_a_grant_without_a_user_is_an_asker_of_its_own():
    """F-01: client credentials that fail wait, and hold up neither users nor those of other routes."""
    service = TokenRequest("okta", "client_credentials", scopes=("orders:read",))
    other = replace(service, extra_parameters=(("tenant", "other"),))

    def say(asked: Asked) -> bytes:
        return GOOD if "tenant" in asked.form or "subject_token" in asked.form else BROKEN

    async with exchanging(say) as at:
        for _ in range(FAILURES):
            with pytest.raises(AuthorizationServerUnavailable):
                await at.server.grant(service, None)
        assert len(at.asked) == TRIES
        assert await at.server.grant(other, None)
        assert await at.server.grant(REQUEST, ALICE)


async def test_those_who_wait_hear_at_once_when_the_breaker_opens():
    """F-01: the queue does not wait for a server that is gone."""
    async with exchanging(DRIP, timeout=0.3) as at:
        for first in (0, FIRST):
            await grant_all(at, FIRST, first)
        assert at.server.status().breaker_open
        assert at.server.status().in_flight == 0
        assert at.server.status().waiting == 0
