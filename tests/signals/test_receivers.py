"""Signals over the public port: who is believed, what each answer is, and whose access ends."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx
import jwt
import pytest

from proxy.config.load import parse_settings
from proxy.demo import Demo
from proxy.demo.signals import (
    AUDIENCE,
    CAEP,
    EVENTS,
    PATH,
    REVOCATION_PATH,
    REVOCATION_URL,
    build_entry,
    build_subject,
    send,
    sign_credential,
    sign_event,
)
from proxy.demo.signing import make_key
from proxy.signals import receivers
from proxy.signals.allowance import SHARE
from tests.support.demo import decode, resign
from tests.support.proxy import Running, running
from tests.support.raw_client import connected

SET = "application/secevent+jwt"
ENDING = ("session-revoked", "credential-change", "token-claims-change", "account-disabled")
Build = Callable[[Demo], str]


async def push(proxy: Running, token: str | bytes, media_type: str = SET) -> httpx.Response:
    return await proxy.client.post(PATH, content=token, headers={"Content-Type": media_type})


async def revoke(proxy: Running, body: Any, credential: str | None) -> httpx.Response:
    headers = {} if credential is None else {"Authorization": f"Bearer {credential}"}
    return await proxy.client.post(REVOCATION_PATH, json=body, headers=headers)


async def statuses(proxy: Running, *tokens: str) -> list[int]:
    return [(await proxy.get("/orders/1", token)).status_code for token in tokens]


@pytest.mark.parametrize("event", [*ENDING, "universal-logout"])
async def test_an_event_ends_the_access_of_its_user_alone(demo: Demo, proxy: Running, event: str):
    """Tokens of before are refused until they end, those of after are served, others are not touched."""
    alice, bob = demo.mint("alice"), demo.mint("bob")
    assert await statuses(proxy, alice, bob) == [200, 200]
    exchanged = demo.calls["token_exchange"]
    answer = await send(demo.tenant, proxy.url, event, "alice")
    assert (answer.status_code, answer.content) == (204 if event == "universal-logout" else 202, b"")
    assert len(proxy.app.parts.store.cache) == 1
    refused = await proxy.get("/orders/1", alice)
    assert (refused.status_code, refused.json()["code"]) == (401, "subject_token_refused")
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert await statuses(proxy, bob) == [200]
    fresh = demo.mint("alice", claims={"iat": int(demo.tenant.now()) + 1})
    assert await statuses(proxy, fresh) == [200]
    assert demo.calls["token_exchange"] == exchanged + 1


async def test_a_token_that_was_never_seen_is_refused_by_the_mark_alone(demo: Demo, proxy: Running):
    """Nothing of the user was cached when the event came."""
    alice = demo.mint("alice")
    assert (await send(demo.tenant, proxy.url, "session-revoked", "alice")).status_code == 202
    assert await statuses(proxy, alice) == [401]
    assert demo.calls["token_exchange"] == 0


async def test_every_custom_server_of_the_org_is_meant(demo: Demo):
    """The event names one user of the org; each of its servers makes tokens of that user."""
    raw = demo.settings(signals=[build_entry(demo.tenant)])
    orders = {"authorization_server": "orders", "expected_audience": "api://orders"}
    raw["subject_tokens"].append(orders)
    async with running(raw) as proxy:
        tokens = [demo.mint("alice"), demo.mint("alice", server="orders", claims={"aud": "api://orders"})]
        before = [(await proxy.get("/orders/1", token)).status_code for token in tokens]
        assert (await send(demo.tenant, proxy.url, "session-revoked", "alice")).status_code == 202
        after = [(await proxy.get("/orders/1", token)).json()["code"] for token in tokens]
    assert before[0] == 200
    assert after == ["subject_token_refused"] * 2


@pytest.mark.parametrize(
    "event", ["verification", "stream-updated", f"{CAEP}assurance-level-change", "urn:x:unknown"]
)
async def test_events_that_end_nothing_are_acknowledged(demo: Demo, proxy: Running, event: str):
    """§7.1.4 of the framework: the transmitter wants to know that they arrive."""
    alice = demo.mint("alice")
    await statuses(proxy, alice)
    assert (await push(proxy, sign_event(demo.tenant, event))).status_code == 202
    assert await statuses(proxy, alice) == [200]
    assert len(proxy.app.parts.store.cache) == 1


FORGED: dict[str, tuple[Build, str, str]] = {
    "nonsense": (lambda _: "nonsense", "invalid_request", "the token does not have the three parts of a JWS"),
    "empty": (lambda _: "", "invalid_request", "the token does not have the three parts of a JWS"),
    "forged": (lambda demo: resign(sign_event(demo.tenant, "session-revoked")), "authentication_failed", "the signature does not hold"),
    "alg none": (lambda demo: jwt.encode(decode(sign_event(demo.tenant, "session-revoked")), None, "none", {"typ": "secevent+jwt"}), "invalid_key", "the token's alg is not allowed"),
    "symmetric": (lambda demo: jwt.encode(decode(sign_event(demo.tenant, "session-revoked")), "x" * 32, "HS256", {"typ": "secevent+jwt", "kid": demo.tenant.event_keys.kid}), "invalid_key", "the token's alg is not allowed"),
    "unknown key": (lambda demo: jwt.encode(decode(sign_event(demo.tenant, "session-revoked")), make_key("attacker"), "RS256", {"typ": "secevent+jwt", "kid": "unknown"}), "invalid_key", "the issuer has no key of the token's kid and alg"),
    "another type": (lambda demo: sign_event(demo.tenant, "session-revoked", header={"typ": "JWT"}), "invalid_request", "the token's typ is not secevent+jwt"),
    "no type": (lambda demo: sign_event(demo.tenant, "session-revoked", header={"typ": None}), "invalid_request", "the token's typ is not secevent+jwt"),
    "critical extension": (lambda demo: sign_event(demo.tenant, "session-revoked", header={"crit": ["x"], "x": 1}), "invalid_request", "the token's header has crit"),
    "another issuer": (lambda demo: sign_event(demo.tenant, "session-revoked", iss="https://elsewhere.example"), "invalid_issuer", "the token's iss is another issuer"),
    "a custom server": (lambda demo: sign_event(demo.tenant, "session-revoked", iss=demo.issuer()), "invalid_issuer", "the token's iss is another issuer"),
    "another audience": (lambda demo: sign_event(demo.tenant, "session-revoked", aud="https://other.example"), "invalid_audience", "the token's aud does not hold our audience"),
    "audience that is none": (lambda demo: sign_event(demo.tenant, "session-revoked", aud=[]), "invalid_audience", "the token's aud does not hold our audience"),
    "no audience": (lambda demo: sign_event(demo.tenant, "session-revoked", aud=None), "invalid_audience", "the token's aud does not hold our audience"),
    "from the future": (lambda demo: sign_event(demo.tenant, "session-revoked", iat=int(time.time()) + 300), "invalid_request", "the token's iat lies in the future: compare the clocks"),
    "of no time": (lambda demo: sign_event(demo.tenant, "session-revoked", iat=None), "invalid_request", "the token has no iat"),
    "time as text": (lambda demo: sign_event(demo.tenant, "session-revoked", iat="now"), "invalid_request", "the token's iat is not a time"),
    "of long ago": (lambda demo: sign_event(demo.tenant, "session-revoked", iat=int(time.time()) - 90_000), "invalid_request", "the token is older than a day: nothing is left for it to end"),
    "ended": (lambda demo: sign_event(demo.tenant, "session-revoked", exp=int(time.time()) - 90), "invalid_request", "the token has expired"),
    "no jti": (lambda demo: sign_event(demo.tenant, "session-revoked", jti=None), "invalid_request", "the token's jti is not a text of 1 to 256 characters"),
    "long jti": (lambda demo: sign_event(demo.tenant, "session-revoked", jti="x" * 257), "invalid_request", "the token's jti is not a text of 1 to 256 characters"),
    "no events": (lambda demo: sign_event(demo.tenant, "session-revoked", events=None), "invalid_request", "the token does not have 1 to 16 events"),
    "events as list": (lambda demo: sign_event(demo.tenant, "session-revoked", events=[EVENTS["session-revoked"]]), "invalid_request", "the token does not have 1 to 16 events"),
    "event as text": (lambda demo: sign_event(demo.tenant, "session-revoked", events={EVENTS["session-revoked"]: "x"}), "invalid_request", "an event is not an object"),
    "no subject": (lambda demo: sign_event(demo.tenant, "session-revoked", payload={"subject": None}), "invalid_request", "the subject is not of a format that names a user"),
    "a session alone": (lambda demo: sign_event(demo.tenant, "session-revoked", payload={"subject": {"format": "complex", "session": {"format": "opaque", "id": "s"}}}), "invalid_request", "the subject is not of a format that names a user"),
    "unknown format": (lambda demo: sign_event(demo.tenant, "session-revoked", payload={"subject": {"format": "shoe_size", "id": "44"}}), "invalid_request", "the subject is not of a format that names a user"),
    "subject without sub": (lambda demo: sign_event(demo.tenant, "session-revoked", payload={"subject": {"format": "iss_sub", "iss": demo.org_url}}), "invalid_request", "the subject's sub or iss is not of the right form"),
    "subject of another issuer": (lambda demo: sign_event(demo.tenant, "session-revoked", payload={"subject": {"format": "iss_sub", "iss": "https://elsewhere.example", "sub": "00u1alice00000000001"}}), "access_denied", "the subject's iss is another issuer"),
    "subject that match does not know": (lambda demo: sign_event(demo.tenant, "session-revoked", payload={"subject": {"format": "phone_number", "phone_number": "+15551234567"}}), "invalid_request", "match names no claim of our callers' tokens for phone_number"),
    "access token": (lambda demo: demo.mint("alice"), "invalid_request", "the token's typ is not secevent+jwt"),
    "oversized": (lambda demo: sign_event(demo.tenant, "session-revoked", pad="x" * 20_000), "invalid_request", "the token is longer than 16384 characters"),
    "oversized body": (lambda _: "x" * 70_000, "invalid_request", "the body is larger than 65536 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
async def test_whoever_is_not_believed_ends_nobodys_access(demo: Demo, proxy: Running, name: str):
    """RFC 8935 §2.3, §2.4: 400 with its code and why; nothing of the token in it."""
    build, err, description = FORGED[name]
    alice = demo.mint("alice")
    await statuses(proxy, alice)
    answer = await push(proxy, build(demo))
    assert (answer.status_code, answer.json()) == (400, {"err": err, "description": description})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert len(proxy.app.parts.store.cache) == 1
    assert await statuses(proxy, alice) == [200]


@pytest.mark.parametrize("media_type", ["application/jwt", "application/json", "text/plain", ""])
async def test_another_media_type_is_refused(demo: Demo, proxy: Running, media_type: str):
    """RFC 8935 §2: it says that the body is an event."""
    answer = await push(proxy, sign_event(demo.tenant, "session-revoked"), media_type)
    assert answer.json() == {"err": "invalid_request", "description": f"the media type is not {SET}"}
    assert answer.status_code == 400


async def test_a_token_counts_once(demo: Demo, proxy: Running):
    """Whoever has seen one cannot play it again, not even after a reload; the same jti is another's, too."""
    token = sign_event(demo.tenant, "session-revoked")
    assert (await push(proxy, token)).status_code == 202
    for _ in range(2):
        again = await push(proxy, token)
        assert again.json() == {"err": "invalid_request", "description": "the token was used before"}
        proxy.app.adopt(proxy.app.prepare(proxy.app.settings))
    assert (await push(proxy, sign_event(demo.tenant, "session-revoked"))).status_code == 202


async def test_only_posts(proxy: Running):
    """What is not sent is not read."""
    for path in (PATH, REVOCATION_PATH):
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            answer = await proxy.client.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert (await proxy.client.post(f"{PATH}/", content="x")).status_code == 404


SUBJECTS: dict[str, Callable[[Demo], dict[str, Any]]] = {
    "plain": lambda demo: {"payload": {"subject": build_subject(demo.tenant, "alice")}},
    "complex": lambda demo: {"payload": {"subject": {"format": "complex", "user": build_subject(demo.tenant, "alice"), "device": {"format": "opaque", "id": "d"}}}},
    "sub_id": lambda demo: {"payload": {"subject": None}, "sub_id": build_subject(demo.tenant, "alice")},
    "email": lambda demo: {"payload": {"subject": {"format": "email", "email": "ALICE"}}},
    "aliases": lambda demo: {"payload": {"subject": {"format": "aliases", "identifiers": [{"format": "phone_number", "phone_number": "+1"}, build_subject(demo.tenant, "alice")]}}},
    "a server's own subject": lambda demo: {"payload": {"subject": {"format": "iss_sub", "iss": demo.issuer(), "sub": "alice"}}},
}  # fmt: skip


@pytest.mark.parametrize("name", SUBJECTS)
async def test_who_is_meant(demo: Demo, proxy: Running, name: str):
    """RFC 9493: in whatever form an org names its user."""
    alice, bob = demo.mint("alice"), demo.mint("bob")
    await statuses(proxy, alice, bob)
    answer = await push(proxy, sign_event(demo.tenant, "session-revoked", **SUBJECTS[name](demo)))
    assert answer.status_code == 202
    assert await statuses(proxy, alice, bob) == [401, 200]


async def test_the_events_own_time_counts(demo: Demo, proxy: Running):
    """Who has signed in again before we are told goes on."""
    now = int(demo.tenant.now())
    before, after = (demo.mint("alice", claims={"iat": now + at}) for at in (-60, -20))
    event = sign_event(demo.tenant, "session-revoked", payload={"event_timestamp": (now - 40) * 1000})
    assert (await push(proxy, event)).status_code == 202
    assert await statuses(proxy, before, after) == [401, 200]
    told_later = sign_event(demo.tenant, "session-revoked", payload={"event_timestamp": now + 3600})
    assert (await push(proxy, told_later)).status_code == 202
    assert await statuses(proxy, after, demo.mint("alice", claims={"iat": now + 5})) == [401, 200]


async def test_a_token_that_could_outlast_a_mark_is_refused(demo: Demo, proxy: Running):
    """What cannot be revoked is not let in, where revocation was asked for."""
    long = demo.mint("alice", expires_in=90_000)
    answer = await proxy.get("/orders/1", long)
    assert (answer.status_code, answer.json()["code"]) == (401, "subject_token_invalid")


ALICE: dict[str, Any] = {"format": "email", "email": "alice"}
REVOCATIONS: dict[str, tuple[Callable[[Demo], str | None], Any, int]] = {
    "no credential": (lambda _: None, {"sub_id": ALICE}, 401),
    "forged": (lambda demo: resign(sign_credential(demo.tenant)), {"sub_id": ALICE}, 401),
    "user's token": (lambda demo: demo.mint("alice"), {"sub_id": ALICE}, 401),
    "an event": (lambda demo: sign_event(demo.tenant, "session-revoked", aud=REVOCATION_URL, exp=int(time.time()) + 60), {"sub_id": ALICE}, 401),
    "another URL": (lambda demo: sign_credential(demo.tenant, aud=AUDIENCE), {"sub_id": ALICE}, 401),
    "ended": (lambda demo: sign_credential(demo.tenant, exp=int(time.time()) - 90), {"sub_id": ALICE}, 401),
    "endless": (lambda demo: sign_credential(demo.tenant, exp=None), {"sub_id": ALICE}, 401),
    "for days": (lambda demo: sign_credential(demo.tenant, exp=int(time.time()) + 90_000), {"sub_id": ALICE}, 401),
    "not yet": (lambda demo: sign_credential(demo.tenant, nbf=int(time.time()) + 300), {"sub_id": ALICE}, 401),
    "no body": (lambda demo: sign_credential(demo.tenant), None, 400),
    "two subjects": (lambda demo: sign_credential(demo.tenant), {"sub_id": ALICE, "subject": ALICE}, 400),
    "unknown format": (lambda demo: sign_credential(demo.tenant), {"sub_id": {"format": "x", "x": "y"}}, 400),
    "another issuer's user": (lambda demo: sign_credential(demo.tenant), {"sub_id": {"format": "iss_sub", "iss": "https://elsewhere.example", "sub": "alice"}}, 403),
    "nobody to be found": (lambda demo: sign_credential(demo.tenant), {"sub_id": {"format": "phone_number", "phone_number": "+1"}}, 404),
}  # fmt: skip


@pytest.mark.parametrize("name", REVOCATIONS)
async def test_a_revocation_that_is_refused(demo: Demo, proxy: Running, name: str):
    """Okta looks at the status alone."""
    build, body, status = REVOCATIONS[name]
    alice = demo.mint("alice")
    await statuses(proxy, alice)
    answer = await revoke(proxy, body, build(demo))
    assert (answer.status_code, answer.content) == (status, b"")
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert len(proxy.app.parts.store.cache) == 1
    assert await statuses(proxy, alice) == [200]


@pytest.mark.parametrize("member", ["sub_id", "subject"])
async def test_a_revocation_names_its_user(demo: Demo, proxy: Running, member: str):
    """The draft calls it sub_id, Okta's guide subject; by the org's id or by address."""
    for subject in (ALICE, build_subject(demo.tenant, "alice")):
        credential = sign_credential(demo.tenant)
        assert (await revoke(proxy, {member: subject}, credential)).status_code == 204
        assert (await revoke(proxy, {member: subject}, credential)).status_code == 401  # once
    assert await statuses(proxy, demo.mint("alice")) == [401]


async def test_without_the_orgs_keys_it_is_to_come_again(demo: Demo):
    """The event may be true: nobody is believed, nothing is lost."""
    demo.faults.fail("keys")
    async with running(demo.settings(signals=[build_entry(demo.tenant)])) as proxy:
        answer = await push(proxy, sign_event(demo.tenant, "session-revoked"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_new_key_of_the_orgs_is_fetched(demo: Demo, proxy: Running):
    """Rotation needs nobody's help."""
    demo.tenant.event_keys.rotate()
    assert (await push(proxy, sign_event(demo.tenant, "session-revoked"))).status_code == 202


async def test_nothing_is_received_unless_configured(demo: Demo):
    """The paths are an API's then, or nobody's; tokens are not looked at any further."""
    async with running(demo.settings()) as proxy:
        assert (await push(proxy, sign_event(demo.tenant, "session-revoked"))).status_code == 404
        assert await statuses(proxy, demo.mint("alice", expires_in=90_000)) == [200]
        assert proxy.app.parts.own_paths is None


async def test_a_reload_brings_signals(demo: Demo):
    """What was cached before is within their reach, too; a second reload forgets no mark."""
    async with running(demo.settings()) as proxy:
        alice = demo.mint("alice")
        assert await statuses(proxy, alice) == [200]
        settings = parse_settings(demo.settings(signals=[build_entry(demo.tenant)]))
        proxy.app.adopt(proxy.app.prepare(settings))
        assert await statuses(proxy, alice) == [200]
        assert demo.calls["token_exchange"] == 2
        assert (await send(demo.tenant, proxy.url, "session-revoked", "alice")).status_code == 202
        assert len(proxy.app.parts.store.cache) == 0
        cache = replace(settings.cache, max_entries=99)
        proxy.app.adopt(proxy.app.prepare(replace(settings, cache=cache)))
        assert await statuses(proxy, alice) == [401]


async def test_what_is_kept_goes_with_what_it_is_kept_of(demo: Demo, proxy: Running):
    """No index outlives its entry, its verdict or its exchange."""
    for user in ("alice", "bob"):
        await statuses(proxy, demo.mint(user))
        assert (await send(demo.tenant, proxy.url, "session-revoked", user)).status_code == 202
    cache, (verifier, _) = proxy.app.parts.store.cache, proxy.app.parts.verifiers
    indexes = (cache._entries._identified, cache.flights._identified, verifier._identified)
    assert [len(index) for index in indexes] == [0, 0, 0]


async def test_what_is_told_of_it(demo: Demo, proxy: Running, caplog: pytest.LogCaptureFixture):
    """Counted, on the page, and one line for each in the log: the user is a digest, and no token is in it."""
    caplog.set_level("INFO", "proxy.app")
    await statuses(proxy, demo.mint("alice"))
    token = sign_event(demo.tenant, "session-revoked", jti="an-event")
    await push(proxy, token)
    await push(proxy, resign(sign_event(demo.tenant, "session-revoked")))
    ended, refused = (record for record in caplog.records if record.getMessage() == "signal")
    assert (ended.outcome, ended.signal, ended.jti, ended.purged) == (
        "ended",
        "session_revoked",
        "an-event",
        1,
    )
    assert len(ended.user) == 16
    assert (refused.outcome, refused.reason, refused.jti) == ("refused", "the signature does not hold", None)
    assert token not in caplog.text
    assert "alice" not in caplog.text
    metrics = (await proxy.admin.get("/metrics")).text
    labels = 'authorization_server="default",outcome="ended",signal="session_revoked"'
    assert f"obo_signals_total{{{labels}}} 1.0" in metrics
    assert "obo_user_revocations 1.0" in metrics
    status = (await proxy.admin.get("/api/status")).json()
    (org,) = status["signals"]
    assert (org["path"], org["revocation_path"], status["user_revocations"]) == (PATH, REVOCATION_PATH, 1)
    assert {(one["signal"], one["outcome"]) for one in org["answered"]} == {
        ("session_revoked", "ended"),
        ("", "refused"),
    }
    page = (await proxy.admin.get("/")).text
    for said in (
        "Signals",
        PATH,
        "session_revoked: ended",
        "1 user&#39;s tokens" if "&#39;" in page else "1 user's tokens",
    ):
        assert said in page


async def test_an_org_that_cannot_be_believed_is_a_reason(demo: Demo):
    """Its keys are not to be had: the page says so before an event is lost."""
    raw = demo.settings(signals=[build_entry(demo.tenant) | {"jwks_url": f"{demo.org_url}/nowhere"}])
    async with running(raw) as proxy:
        await proxy.get("/orders/1", demo.mint("alice"))
        status = (await proxy.admin.get("/api/status")).json()
        assert status["status"] == "degraded"
        assert f"signals of {demo.org_url} are not believed: its keys are not there" in status["reasons"]
        assert "not believed" in (await proxy.admin.get("/")).text


async def test_a_flood_has_few_signatures_checked(demo: Demo, proxy: Running):
    """Forged events of one address: a dozen are looked at, the others are to come again; true ones go on then."""
    forged = resign(sign_event(demo.tenant, "session-revoked"))
    began = time.monotonic()
    answers = [(await push(proxy, forged)).status_code for _ in range(100)]
    assert answers[:10] == [400] * 10
    assert 10 <= answers.count(400) <= SHARE * (1 + time.monotonic() - began)
    assert set(answers) == {400, 503}
    await asyncio.sleep(0.2)
    assert (await push(proxy, sign_event(demo.tenant, "session-revoked"))).status_code == 202


async def test_true_events_are_not_limited(demo: Demo, proxy: Running):
    """However many there are."""
    events = [sign_event(demo.tenant, "session-revoked", f"user{number}") for number in range(60)]
    answers = await asyncio.gather(*(push(proxy, event) for event in events))
    assert {answer.status_code for answer in answers} == {202}
    assert (await proxy.admin.get("/api/status")).json()["user_revocations"] == 60


async def test_the_bounds_of_those_who_are_slow(demo: Demo, proxy: Running, monkeypatch: pytest.MonkeyPatch):
    """Who takes up all places with bodies that do not come is turned away in time, and shuts out no request."""
    monkeypatch.setattr(receivers, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(receivers, "BODY_TIMEOUT", 0.5)
    head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: {SET}\r\nContent-Length: 100\r\n\r\nx".encode()
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(connected(proxy.server.address)) for _ in range(3)]
        for client in slow:
            await client.send(head)
        async with asyncio.timeout(5):
            while proxy.app.parts.receivers._busy < 3:
                await asyncio.sleep(0.01)
        event = sign_event(demo.tenant, "session-revoked", "bob")
        assert (await push(proxy, event)).status_code == 503
        assert await statuses(proxy, demo.mint("alice")) == [200]
        for client in slow:
            assert b"the body does not arrive" in await asyncio.wait_for(client.rest(), 5)
        assert proxy.app.parts.receivers._busy == 0
        assert (await push(proxy, event)).status_code == 202
