"""The whole job on real sockets: verify, exchange, cache, forward, for the demo's users."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from proxy.demo import Demo
from tests.support.demo import FORGERIES, decode
from tests.support.proxy import Running, running
from tests.support.raw_client import RawClient, RawResponse, connected


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    async with Demo() as running_demo:
        yield running_demo


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


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, response.json()["code"]


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


async def test_a_route_without_a_user_never_sees_the_callers_token(demo: Demo, proxy: Running):
    """Client credentials: the caller's token is stripped, and not needed."""
    for token in (None, demo.mint("alice")):
        seen = (await proxy.get("/reports", token)).json()
        assert seen["on_behalf_of"] is None
        assert seen["claims"]["sub"] == seen["claims"]["cid"]


async def test_a_route_without_a_token_sends_none(demo: Demo, proxy: Running):
    """``grant: none``: nothing is sent, the caller's token least of all."""
    seen = (await proxy.get("/public", demo.mint("alice"), **{"X-Copy": demo.mint("alice")})).json()
    assert "authorization" not in seen["headers"]


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


async def test_an_upstream_that_refuses_a_cached_token_gets_a_fresh_one_once(demo: Demo, proxy: Running):
    """C-15: a 401 on a cached token drops it; the request is repeated once if it can be."""
    token = demo.mint("alice")
    assert (await proxy.get("/orders/status/401", token)).status_code == 401
    assert demo.api_calls["api"] == 1, "a 401 on a fresh token is the upstream's answer"
    assert (await proxy.get("/orders/status/401", token)).status_code == 401
    assert (demo.api_calls["api"], demo.calls["token_exchange"]) == (3, 2)
    headers = {"Authorization": f"Bearer {token}"}
    assert (await proxy.client.post("/orders/status/401", headers=headers, content=b"x")).status_code == 401
    assert (demo.api_calls["api"], demo.calls["token_exchange"]) == (4, 2), "a body is never sent twice"


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


async def test_the_token_may_stand_elsewhere(demo: Demo):
    """``token_in``: another header, or a query parameter; it goes no further."""
    raw = demo.settings()
    orders = raw["routes"][0]
    raw["routes"] = [
        orders | {"token_in": {"header": "X-User-Token", "scheme": ""}},
        orders
        | {
            "name": "query",
            "path": "/query",
            "path_rewrite": "/orders",
            "token_in": {"query": "access_token"},
        },
    ]
    token = demo.mint("alice")
    async with running(raw) as proxy:
        by_header = await proxy.client.get("/orders", headers={"X-User-Token": token})
        by_query = await proxy.client.get(f"/query/7?a=1&access_token={token}&b=2")
    assert by_header.json()["on_behalf_of"] == by_query.json()["on_behalf_of"] == "alice"
    assert (by_query.json()["path"], by_query.json()["query"]) == ("/orders/7", "a=1&b=2")
    assert "x-user-token" not in by_header.json()["headers"]


async def test_the_token_may_come_from_a_file(demo: Demo, tmp_path):
    """``subject_token_file``: one fixed user, read again when the file changes, and verified all the same."""
    file = tmp_path / "token"
    file.write_text(demo.mint("alice") + "\n")
    raw = demo.settings()
    raw["routes"] = [raw["routes"][0] | {"subject_token_file": str(file)}]
    async with running(raw) as proxy:
        assert (await proxy.get("/orders")).json()["on_behalf_of"] == "alice"
        file.write_text(demo.mint("bob") + " \n")
        assert (await proxy.get("/orders", demo.mint("alice"))).json()["on_behalf_of"] == "bob"
        file.write_text("nonsense\n")
        assert problem(await proxy.get("/orders")) == (401, "subject_token_invalid")


async def test_a_preflight_passes_where_it_may(demo: Demo):
    """``cors_preflight``: an OPTIONS preflight needs no token, and brings none."""
    raw = demo.settings()
    raw["routes"] = [raw["routes"][0] | {"cors_preflight": True}, raw["routes"][1]]
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    async with running(raw) as proxy:
        passed = await proxy.client.options("/orders/status/204", headers=headers)
        assert passed.status_code == 401, "the demo's API wants a token even so: it was forwarded, with none"
        assert "authorization" not in dict(demo.api_requests[-1].headers)
        assert problem(await proxy.client.options("/profile", headers=headers)) == (
            401,
            "subject_token_missing",
        )
        assert problem(await proxy.client.options("/orders")) == (401, "subject_token_missing")


async def test_max_forwards_are_counted(demo: Demo, proxy: Running):
    """H-38: an OPTIONS that may go no further is answered here; one that may brings one less."""
    headers = {"Authorization": f"Bearer {demo.mint('alice')}"}
    last = await proxy.client.options("/orders", headers=headers | {"Max-Forwards": "0"})
    assert (last.status_code, demo.api_calls["api"]) == (204, 0)
    seen = (await proxy.client.options("/orders", headers=headers | {"Max-Forwards": "2"})).json()
    assert seen["headers"]["max-forwards"] == "1"


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


async def test_protected_resource_metadata(demo: Demo):
    """A-05: the document says where tokens come from, and challenges name it."""
    async with running(demo.settings(protected_resource_metadata=True)) as proxy:
        challenge = (await proxy.get("/orders/7")).headers["www-authenticate"]
        url = f"{proxy.url}/.well-known/oauth-protected-resource/orders"
        assert f'resource_metadata="{url}"' in challenge
        document = (await proxy.client.get(url)).json()
        assert document["resource"] == f"{proxy.url}/orders"
        assert document["authorization_servers"] == [demo.issuer("default")]
        assert document["bearer_methods_supported"] == ["header"]
        assert problem(await proxy.get("/.well-known/oauth-protected-resource/nowhere")) == (404, "no_route")


async def test_our_public_keys_are_published(demo: Demo):
    """``publish_jwks``: what Okta fetches holds no private member."""
    async with running(demo.settings(private_key_jwt=True, publish_jwks="/jwks")) as proxy:
        keys = (await proxy.client.get("/jwks")).json()["keys"]
        assert [key["kid"] for key in keys] == [demo.private_key_id]
        assert not {"d", "p", "q"} & set(keys[0])
        assert (await proxy.get("/orders", demo.mint("alice"))).status_code == 200


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
