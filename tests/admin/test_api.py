"""The admin side for programs, and the page's forms."""

from __future__ import annotations

import asyncio
import json
import re

import httpx

from proxy.demo import Demo
from tests.support.demo import FORGERIES, decode
from tests.support.proxy import Running, running


async def inspect(proxy: Running, token: str, route: str = "orders") -> httpx.Response:
    return await proxy.admin.post("/api/inspect", json={"token": token, "route": route})


async def submit(proxy: Running, path: str, **fields: str) -> httpx.Response:
    """A form of the page, as a browser sends it."""
    page = await proxy.admin.get("/")
    found = re.search(r'name="form_key" value="([^"]+)"', page.text)
    assert found is not None
    return await proxy.admin.post(
        path, data={"form_key": found[1], **fields}, headers={"Origin": proxy.admin_url}
    )


async def test_status_tells_what_happened(demo: Demo, proxy: Running):
    """What the page shows is there as JSON: traffic, servers with their keys, cache and failures."""
    token = demo.mint("alice")
    for _ in range(3):
        await proxy.get("/orders/1", token)
    await proxy.get("/orders/1")
    status = (await proxy.admin.get("/api/status")).json()
    assert status["status"] == "ready"
    assert status["recent"]["requests"] > 0
    assert status["cache"]["lookups"] == {"hit": 2, "miss": 1, "coalesced": 0, "refused": 0}
    servers = {server["name"]: server for server in status["authorization_servers"]}
    assert servers["orders"]["exchanges"] == {"ok": 1}
    assert servers["orders"]["rate_limit"]["remaining"] > 0
    assert servers["default"]["signing_keys"]["ready"]
    [failure] = status["failures"]
    assert (failure["code"], failure["route"]) == ("subject_token_missing", "orders")
    assert failure["remedy"]
    [orders] = [route for route in status["routes"] if route["name"] == "orders"]
    assert (orders["requests"], orders["refused"], orders["failed"]) == (4, 1, 0)


async def test_trouble_is_named(demo: Demo, proxy: Running):
    """An authorization server that is down shows in the state, its card and the failures."""
    demo.faults.fail("token")
    await asyncio.gather(*(proxy.get("/orders/1", demo.mint(f"user{user}")) for user in range(8)))
    status = (await proxy.admin.get("/api/status")).json()
    assert status["status"] == "degraded"
    [reason] = status["reasons"]
    assert reason.startswith("orders:")
    servers = {server["name"]: server["healthy"] for server in status["authorization_servers"]}
    assert servers == {"default": True, "orders": False, "payroll": True}
    page = (await proxy.admin.get("/")).text
    assert "Working, with trouble" in page
    assert "in trouble" in page


async def test_a_closed_gate_is_trouble_too(demo: Demo, proxy: Running):
    """While a server wants to be left alone, the page says for how long."""
    demo.faults.rate_limit(reset_in=60)
    await proxy.get("/orders/1", demo.mint("alice"))
    status = (await proxy.admin.get("/api/status")).json()
    assert "takes no more requests" in status["reasons"][0]


async def test_draining_shows(demo: Demo, proxy: Running):
    """The last state of a process: it is sent no more requests."""
    await proxy.get("/orders/1", demo.mint("alice"))  # with that the keys are there
    assert (await proxy.admin.get("/readyz")).json() == {"status": "ready", "reasons": []}
    proxy.app.draining = True
    assert (await proxy.admin.get("/readyz")).status_code == 503
    assert (await proxy.admin.get("/api/status")).json()["status"] == "draining"
    assert "Shutting down" in (await proxy.admin.get("/")).text


async def test_a_server_whose_keys_are_missing_is_unready(demo: Demo):
    """Nobody can be served: the page says so and why."""
    demo.faults.fail("keys")
    async with running(demo.settings()) as proxy:
        await demo.calls.reach("keys", 1)
        status = (await proxy.admin.get("/api/status")).json()
        assert status["status"] == "unready"
        assert (await proxy.admin.get("/readyz")).status_code == 503
        assert (await proxy.admin.get("/healthz")).status_code == 200
        assert "signing keys" in status["reasons"][0]
        assert "Not serving" in (await proxy.admin.get("/")).text


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


RIGHT = b'{"issuer":"a","subject":"b"}'
BODIES = {
    "empty": (b"{}", "application/json", 400),
    "list": (b"[]", "application/json", 400),
    "no JSON": (b"nonsense", "application/json", 400),
    "blank": (b'{"issuer":"a","subject":""}', "application/json", 400),
    "number": (b'{"issuer":"a","subject":7}', "application/json", 400),
    "twice": (b'{"issuer":"a","subject":"b","subject":"c"}', "application/json", 400),
    "text": (RIGHT, "text/plain", 415),
    "no type": (RIGHT, "", 415),
    "form": (b"issuer=a&subject=b", "application/x-www-form-urlencoded", 415),
    "large": (b'{"issuer":"' + b"a" * 70_000 + b'","subject":"b"}', "application/json", 413),
    "right": (RIGHT, "application/json; charset=utf-8", 200),
}


async def test_bodies(proxy: Running):
    """Only a JSON object, by its own media type and of bounded size, is taken."""
    for name, (content, media_type, status) in BODIES.items():
        answer = await proxy.admin.post("/api/purge", content=content, headers={"Content-Type": media_type})
        assert answer.status_code == status, name
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"


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


async def test_forms_work_without_a_script(demo: Demo, proxy: Running):
    """Inspect and purge as plain forms: the answer is the page with the result on it."""
    token = demo.mint("alice")
    await proxy.get("/orders/1", token)
    page = await submit(proxy, "/inspect", token=token, route="orders")
    assert page.status_code == 200
    assert "would reach the API" in page.text
    assert "api://orders" in page.text
    page = await submit(proxy, "/purge", issuer=demo.issuer(), subject=decode(token)["sub"])
    assert "1 entry was dropped" in page.text.replace("\n", " ")
    page = await submit(proxy, "/purge", issuer=demo.issuer(), subject=decode(token)["sub"])
    assert "no entry" in page.text


async def test_a_form_of_another_page_is_refused(proxy: Running):
    """Its key must be the cookie's, which nobody else can read."""
    await proxy.admin.get("/")
    for _ in ("with our cookie", "without"):
        for path in ("/inspect", "/purge"):
            for key, status in (("", 400), ("guessed" * 8, 403)):
                fields = {"token": "x", "route": "orders", "issuer": "x", "subject": "x", "form_key": key}
                assert (await proxy.admin.post(path, data=fields)).status_code == status
        proxy.admin.cookies.clear()


FORMS = {
    "type": (b"issuer=a&subject=b&form_key=c", "application/json", 415),
    "twice": (b"issuer=a&issuer=b&subject=b&form_key=c", "application/x-www-form-urlencoded", 400),
    "not ASCII": (b"\xff=a", "application/x-www-form-urlencoded", 400),
    "too many": (b"a=b&" * 50, "application/x-www-form-urlencoded", 400),
}


async def test_forms_are_read_strictly(proxy: Running):
    """A form that reads in two ways is none."""
    for name, (content, media_type, status) in FORMS.items():
        answer = await proxy.admin.post("/purge", content=content, headers={"Content-Type": media_type})
        assert answer.status_code == status, name


async def test_the_cookie_is_for_this_page_alone(proxy: Running):
    """No script reads it, no other site's request brings it; it stays the same while it is known."""
    first = await proxy.admin.get("/")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(first.headers["set-cookie"].split("; "))
    second = await proxy.admin.get("/")
    assert first.cookies["obo_form_key"] == second.cookies["obo_form_key"]


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


async def test_markup_in_a_claim_stays_text(demo: Demo, proxy: Running):
    """Whatever a token or its issuer says is shown, never rendered."""
    token = demo.mint("alice", claims={"<b>name</b>": "<script>alert(1)</script>"})
    page = await submit(proxy, "/inspect", token=token, route="orders")
    assert "&lt;script&gt;" in page.text
    assert "<script>alert" not in page.text
    assert "<b>name" not in page.text


async def test_the_page_needs_nothing_from_elsewhere(proxy: Running):
    """Every address on it is its own."""
    page = (await proxy.admin.get("/")).text
    for address in re.findall(r'(?:src|href|action)="([^"]+)"', page):
        assert address.startswith(("/", "#")), address
    assert "style=" not in page
    assert not re.search(r"<script(?! src)", page)
    for path in ("/static/style.css", "/static/refresh.js", "/static/icon.svg"):
        answer = await proxy.admin.get(path)
        assert answer.status_code == 200
        assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")


async def test_a_status_of_many_samples_is_json(proxy: Running):
    """An hour's points, each with its figures or null."""
    for _ in range(7):
        proxy.app.history.sample()
    status = (await proxy.admin.get("/api/status")).json()
    assert len(status["history"]["points"]) == 3
    assert status["history"]["points"][0]["hit_ratio"] is None
    json.dumps(status, allow_nan=False)
