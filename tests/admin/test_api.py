"""The admin side for programs."""

from __future__ import annotations

from proxy.demo import Demo
from tests.support.demo import FORGERIES, decode
from tests.support.proxy import Running, running

from .visits import inspect, submit


async def test_inspection_shows_each_step_and_both_tokens(demo: Demo, proxy: Running):
    """Every step passes for alice, and what the exchange changed is marked."""
    answer = (await inspect(proxy, demo.mint("alice"))).json()
    assert answer["ok"]
    assert {step["verdict"] for step in answer["steps"]} == {"pass"}
    assert {"token", "issuer", "signature", "audience", "times", "exchange", "answer"} <= {
        step["step"] for step in answer["steps"]
    }
    changes = {difference["name"]: difference["change"] for difference in answer["differences"]}
    assert (changes["aud"], changes["cid"], changes["sub"]) == ("changed", "changed", "same")
    assert answer["subject_token"]["claims"]["aud"] == "api://default"
    assert answer["access_token"]["claims"]["aud"] == "api://orders"


async def test_inspection_is_no_traffic_of_the_cache(demo: Demo, proxy: Running):
    """Neither asked nor filled: the exchange is made anew each time, and nobody gets its token."""
    token = demo.mint("alice")
    await proxy.get("/orders/1", token)
    before = (await proxy.admin.get("/api/status")).json()["cache"]
    await inspect(proxy, token)
    await inspect(proxy, token)
    assert (await proxy.admin.get("/api/status")).json()["cache"] == before
    assert demo.calls["token_exchange"] == 3


async def test_inspection_of_forgeries(demo: Demo, proxy: Running):
    """Some step fails with a remedy, and nothing is exchanged."""
    for name, forge in FORGERIES.items():
        answer = (await inspect(proxy, forge(demo, demo.mint("alice")))).json()
        assert not answer["ok"], name
        assert all(step["remedy"] for step in answer["steps"] if step["verdict"] == "fail"), name
    assert demo.calls["token_exchange"] == 0


async def test_inspection_names_what_the_authorization_server_refuses(demo: Demo, proxy: Running):
    """Cause and remedy of a policy that says no."""
    answer = (await inspect(proxy, demo.mint("alice"), "payroll")).json()
    [failed] = [step for step in answer["steps"] if step["verdict"] == "fail"]
    assert (failed["step"], failed["code"]) == ("exchange", "exchange_denied")
    assert "Access Policies" in failed["remedy"]


async def test_purging_a_user_lets_the_next_request_exchange(demo: Demo, proxy: Running):
    """C-25: purge, and the next request exchanges; other users' entries stay."""
    tokens = {user: demo.mint(user) for user in ("alice", "bob")}
    for token in tokens.values():
        await proxy.get("/orders/1", token)
    wanted = {"issuer": demo.issuer(), "subject": decode(tokens["alice"])["sub"]}
    assert (await proxy.admin.post("/api/purge", json=wanted)).json() == {"purged": 1}
    assert (await proxy.admin.post("/api/purge", json=wanted)).json() == {"purged": 0}
    for token in tokens.values():
        assert (await proxy.get("/orders/1", token)).status_code == 200
    assert demo.calls["token_exchange"] == 3


async def test_a_route_without_users_needs_no_token(demo: Demo, proxy: Running):
    """There is nothing to paste; a route with users asks for it."""
    for form in ({"route": "public"}, {"route": "public", "token": ""}):
        assert (await proxy.admin.post("/api/inspect", json=form)).json()["ok"]
    assert "would reach the API" in (await submit(proxy, "/inspect", token="", route="public")).text
    for form in ({"route": "orders"}, {"route": "orders", "token": " "}, {"route": "public", "token": 7}):
        assert (await proxy.admin.post("/api/inspect", json=form)).status_code == 400
    assert (await submit(proxy, "/inspect", token="", route="orders")).status_code == 400


async def test_a_route_of_our_own_client_needs_no_token(demo: Demo):
    """With client_credentials the proxy's own token is asked for, decoded and shown, for nobody's."""
    raw = demo.settings()
    orders = raw["routes"][0]
    orders["grant"] = "client_credentials"
    async with running(raw) as proxy:
        answer = (await proxy.admin.post("/api/inspect", json={"route": "orders"})).json()
    assert answer["ok"], answer["steps"]
    assert answer["subject_token"]["claims"] is None
    assert answer["access_token"]["claims"]["aud"] == "api://orders"


async def test_an_unknown_route_cannot_be_inspected(demo: Demo, proxy: Running):
    """404, and no exchange."""
    assert (await inspect(proxy, demo.mint("alice"), "nowhere")).status_code == 404


async def test_configuration_is_shown_without_its_secrets(demo: Demo, proxy: Running):
    """That of the running process."""
    answer = await proxy.admin.get("/api/config")
    assert answer.json()["routes"][0]["name"] == "orders"
    secret = demo.settings()["authorization_servers"]["orders"]["client"]["secret"]
    assert secret not in answer.text


async def test_no_token_is_ever_shown(demo: Demo, proxy: Running):
    """Canaries: neither user's token nor exchanged token, whole or in part, nor what a claim smuggles in."""
    smuggled = demo.mint("mallory")
    token = demo.mint("alice", claims={"note": smuggled})
    await proxy.get("/orders/1", token)
    exchanged = proxy_saw(demo)
    await proxy.get("/orders/1", token[:-2])
    await proxy.get("/orders/1", "canary-opaque-token")
    texts = [
        (await inspect(proxy, token)).text,
        (await inspect(proxy, token[:-2])).text,
        (await inspect(proxy, "canary-opaque-token")).text,
        (await submit(proxy, "/inspect", token=token, route="orders")).text,
        (await submit(proxy, "/inspect", token="canary-opaque-token", route="orders")).text,
        *[(await proxy.admin.get(path)).text for path in ("/", "/api/status", "/api/config", "/metrics")],
    ]
    secret = demo.settings()["authorization_servers"]["orders"]["client"]["secret"]
    canaries = [secret, "canary-opaque-token"]
    for jws in (token, exchanged, smuggled):
        canaries += jws.split(".")[1:]
    for text in texts:
        for canary in canaries:
            assert canary not in text


def proxy_saw(demo: Demo) -> str:
    """The token that the API was called with."""
    headers = {name.lower(): value for name, value in demo.api_requests[-1].headers}
    value = headers.get("authorization") or headers.get(b"authorization")
    text = value.decode() if isinstance(value, bytes) else value
    assert text is not None
    return text.removeprefix("Bearer ")
