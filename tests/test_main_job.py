"""The whole job on real sockets: verify, exchange, cache, forward, for the demo's users."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from proxy.demo import Demo
from tests.support.demo import FORGERIES, decode
from tests.support.proxy import Running, problem, running
from tests.support.raw_client import RawClient, RawResponse, connected


@pytest.fixture
async def proxy(demo: Demo) -> AsyncIterator[Running]:
    async with running(demo.settings()) as running_proxy:
        yield running_proxy


def build_request(path: str, token: str, **headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: proxy", f"Authorization: Bearer {token}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


async def call(proxy: Running, request: bytes) -> RawResponse:
    """One request on a connection of its own."""
    async with connected(proxy.server.address) as client:
        await client.send(request)
        return await client.response()


async def test_the_api_knows_on_whose_behalf_it_is_called(demo: Demo, proxy: Running):
    """The exchanged token names alice, the route's audience and scopes, and us as the client."""
    seen = (await proxy.get("/orders/7?a=b%20c&", demo.mint("alice"))).json()
    claims = seen["claims"]
    assert (seen["on_behalf_of"], claims["sub"]) == ("alice", "alice")
    assert (claims["aud"], claims["scp"]) == ("api://orders", ["orders:read"])
    assert claims["cid"] == demo.settings()["authorization_servers"]["orders"]["client"]["id"]
    assert (seen["method"], seen["path"], seen["query"]) == ("GET", "/orders/7", "a=b%20c&")


async def test_exchange_at_the_issuer_itself(demo: Demo, proxy: Running):
    """Okta's first scenario: one custom authorization server, another scope."""
    seen = (await proxy.get("/profile", demo.mint("bob"))).json()
    assert (seen["on_behalf_of"], seen["claims"]["scp"]) == ("bob", ["api:access:read"])


async def test_what_is_refused(demo: Demo, proxy: Running):
    """The table's rows that a caller can cause, none of which reaches the API."""
    expired = demo.mint("alice", expires_in=-3600)
    missing = await proxy.get("/orders")
    assert problem(missing) == (401, "subject_token_missing")
    assert missing.headers["www-authenticate"] == 'Bearer realm="obo-proxy"'
    refused = await proxy.get("/orders", expired)
    assert problem(refused) == (401, "subject_token_expired")
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    denied = await proxy.get("/payroll", demo.mint("alice"))
    assert problem(denied) == (403, "exchange_denied")
    assert denied.json()["oauth_error"] == "access_denied"
    for headers, status, code in [
        ({"Authorization": "Basic eDp5"}, 401, "subject_token_missing"),
        ({"Authorization": "Bearer a b"}, 400, "authorization_malformed"),
        ({"Authorization": "Bearer abc"}, 401, "subject_token_invalid"),
    ]:
        assert problem(await proxy.client.get("/orders", headers=headers)) == (status, code)
    assert problem(await proxy.get("/elsewhere")) == (404, "no_route")
    assert problem(await proxy.client.get("/orders?access_token=" + demo.mint("alice"))) == (
        401,
        "subject_token_missing",
    )
    assert demo.api_calls["api"] == 0


async def test_two_credentials_are_one_too_many(demo: Demo, proxy: Running):
    """A-02: two Authorization fields are refused before anything is looked up."""
    token = demo.mint("alice")
    fields = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    assert problem(await proxy.client.get("/orders", headers=fields)) == (400, "authorization_malformed")
    assert demo.calls["token"] == 0


async def test_cached_users_outlive_the_authorization_server(demo: Demo, proxy: Running):
    """F-01: without Okta, those in the cache are served, the others told to come again."""
    alice, bob = demo.mint("alice"), demo.mint("bob")
    assert (await proxy.get("/orders", alice)).status_code == 200
    await demo.authorization_server.stop()
    assert (await proxy.get("/orders", alice)).status_code == 200
    refused = await proxy.get("/orders", bob)
    assert problem(refused) == (503, "authorization_server_unavailable")
    assert int(refused.headers["retry-after"]) >= 1


async def test_a_crowd_makes_one_exchange(demo: Demo, proxy: Running):
    """C-06: 500 first requests of one user at once, one call at the token URL."""
    request = build_request("/orders", demo.mint("alice"))
    demo.faults.hold("token")
    callers = [asyncio.create_task(call(proxy, request)) for _ in range(500)]
    await demo.calls.reach("token", 1)
    while proxy.app.parts.store.cache.lookups["coalesced"] < 499:
        await asyncio.sleep(0.005)
    demo.faults.release("token")
    assert {answer.status for answer in await asyncio.gather(*callers)} == {200}
    assert demo.calls["token_exchange"] == 1


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
async def test_copies_of_a_cached_users_token(demo: Demo, proxy: Running, forge: Any):
    """C-01: a forged, altered or misdirected copy finds nothing, however warm the entry."""
    token = demo.mint("alice")
    assert (await proxy.get("/orders", token)).status_code == 200
    before = dict(proxy.app.parts.store.cache.lookups)
    answer = await proxy.get("/orders", forge(demo, token))
    assert answer.status_code == 401
    assert dict(proxy.app.parts.store.cache.lookups) == before
    assert demo.calls["token"] == 1


@pytest.mark.timeout(120)
async def test_nobody_ever_gets_anothers_token(demo: Demo):
    """C-05: 200 users, 50 requests each, interleaved; a cache of 8, faults and departures in between."""
    chance = random.Random(5)
    tokens = {f"user{number}": demo.mint(f"user{number}") for number in range(200)}
    bursts = [[(user, token)] * 10 for user, token in tokens.items() for _ in range(5)]
    chance.shuffle(bursts)
    calls = [call for burst in bursts for call in burst]
    outcomes: Counter[int] = Counter()

    async def work(proxy: Running) -> None:
        while calls:
            async with connected(proxy.server.address) as client:
                for _ in range(20):
                    if calls and not await ask(client, *calls.pop()):
                        break

    async def ask(client: RawClient, user: str, token: str) -> bool:
        """False where the caller leaves before its answer."""
        if len(calls) % 2000 == 1000:
            demo.faults.fail("token", 503, times=1)
        await client.send(build_request("/orders", token, X_Expected_User=user))
        if chance.random() < 0.03:
            client.reset()
            return False
        answer = await client.response()
        outcomes[answer.status] += 1
        if answer.status == 200:
            seen = json.loads(answer.body)
            assert seen["on_behalf_of"] == user == seen["headers"]["x-expected-user"]
        return True

    async with running(demo.settings(cache={"max_entries": 8})) as proxy:
        await asyncio.gather(*(work(proxy) for _ in range(40)))
        assert len(proxy.app.parts.store.cache) <= 8
    assert set(outcomes) <= {200, 503, 504}
    assert outcomes[200] > 9000


async def test_a_refreshed_token_of_the_same_session_hits(demo: Demo, proxy: Running):
    """C-02: only exp, iat, nbf and jti may differ; another scope is another entry."""
    for _ in range(3):
        assert (await proxy.get("/orders", demo.mint("alice"))).status_code == 200
    assert demo.calls["token_exchange"] == 1
    assert (
        await proxy.get("/orders", demo.mint("alice", scopes=["openid", "orders:read", "email"]))
    ).status_code == 200
    assert demo.calls["token_exchange"] == 2


async def test_the_users_token_never_reaches_the_upstream(demo: Demo, proxy: Running):
    """H-29: wherever in the request it stands, what the API sees does not hold it."""
    token = demo.mint("alice")
    answer = await proxy.client.get(
        f"/orders?x={token}&y=1",
        headers={
            "Authorization": f"Bearer {token}", "Cookie": f"a=1; session={token}; b=2", "Referer": f"http://x/?{token}",
            "X-Forwarded-Access-Token": token, "X-Copy": f"Bearer {token}", "DPoP": "proof", "X-Forwarded-User": "root",
        },
    )  # fmt: skip
    recorded = demo.api_requests[-1]
    assert token not in repr(recorded)
    seen = answer.json()
    assert seen["query"] == "y=1"
    assert seen["headers"]["cookie"] == "a=1; b=2"
    assert not {"dpop", "x-forwarded-user", "referer", "x-copy"} & set(seen["headers"])


async def test_step_up_is_asked_for(demo: Demo):
    """A-25: RFC 9470's challenge, and nothing is exchanged."""
    raw = demo.settings()
    raw["routes"] = [raw["routes"][0] | {"acr_values": ["urn:okta:loa:2fa:any"], "max_age": "5m"}]
    async with running(raw) as proxy:
        answer = await proxy.get("/orders", demo.mint("alice"))
        assert problem(answer) == (401, "step_up_required")
        challenge = answer.headers["www-authenticate"]
        assert 'acr_values="urn:okta:loa:2fa:any"' in challenge
        assert 'max_age="300"' in challenge
        assert demo.calls["token"] == 0
        strong = demo.mint("alice", claims={"acr": "urn:okta:loa:2fa:any"})
        assert (await proxy.get("/orders", strong)).status_code == 200


async def test_required_scopes(demo: Demo):
    """A-26: what the route requires of the user's token is named in the challenge."""
    raw = demo.settings()
    raw["routes"] = [raw["routes"][0] | {"required_scopes": ["orders:write"]}]
    async with running(raw) as proxy:
        answer = await proxy.get("/orders", demo.mint("alice"))
        assert problem(answer) == (403, "scope_insufficient")
        assert 'scope="orders:write"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("dpop", [False, True], ids=["bearer", "dpop"])
async def test_private_key_jwt_and_dpop(demo: Demo, dpop: bool):
    """X-09, D-01, D-05: no client secret, and with DPoP a token bound to our key."""
    async with running(demo.settings(private_key_jwt=True, dpop=dpop)) as proxy:
        for _ in range(2):
            seen = (await proxy.get("/orders", demo.mint("alice"))).json()
            assert seen["on_behalf_of"] == "alice"
            assert seen["headers"]["authorization"].startswith("DPoP " if dpop else "Bearer ")
            assert ("cnf" in seen["claims"]) is dpop


async def test_every_token_ends_before_it_is_of_no_use(demo: Demo, proxy: Running):
    """What the API was sent is alice's alone, and not yet expired."""
    await proxy.get("/orders", demo.mint("alice"))
    claims = (await proxy.get("/orders", demo.mint("alice"))).json()["claims"]
    assert claims["exp"] > claims["iat"]
    assert decode(demo.mint("alice"))["jti"] != claims["jti"]
