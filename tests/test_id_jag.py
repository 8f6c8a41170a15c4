"""Cross App Access through the whole proxy: the org makes an ID-JAG, another company's server redeems it."""

from __future__ import annotations

import asyncio
import ssl
import time

import httpx
import pytest

from proxy.config.load import parse_settings
from proxy.demo import Demo
from proxy.demo.signing import KeyRing
from proxy.diagnosis.doctor import examine_all
from proxy.runtime import SystemClock
from tests.support.demo import decode
from tests.support.proxy import running


def spent(demo: Demo) -> tuple[int, int, int]:
    """ID-JAGs made for alice; calls at the org, and at the other company."""
    return demo.tenant.id_jags["alice"], demo.calls["token_exchange"], demo.partner_calls["jwt_bearer"]


async def test_one_request_takes_two_calls(demo: Demo):
    """The API is called with the other company's token, and neither with the ID token nor with the ID-JAG."""
    async with running(demo.settings(id_jag=True)) as proxy:
        token = demo.mint_id_token("alice")
        answers = [await proxy.get("/chat/1", token) for _ in range(3)]
        metrics = (await proxy.admin.get("/metrics")).text
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    claims = answers[0].json()["claims"]
    assert (claims["iss"], claims["aud"]) == (demo.partner.issuer("chat"), "https://api.chat.example/")
    assert claims["sub"] == decode(token)["sub"]
    assert spent(demo) == (1, 1, 1)
    assert 'obo_exchanges_total{authorization_server="org",leg="1",outcome="ok"} 1.0' in _sorted(metrics)
    assert 'obo_exchanges_total{authorization_server="chat",leg="2",outcome="ok"} 1.0' in _sorted(metrics)
    assert 'obo_exchanges_total{authorization_server="org",outcome="ok"} 0.0' in _sorted(metrics)


def _sorted(metrics: str) -> str:
    """Each sample with its labels in order."""
    lines = []
    for line in metrics.splitlines():
        name, brace, rest = line.partition("{")
        labels, _, value = rest.rpartition("}")
        lines.append(f"{name}{{{','.join(sorted(labels.split(',')))}}}{value}" if brace else line)
    return "\n".join(lines)


async def test_many_first_requests_at_once(demo: Demo):
    """C-06: one leg 1, one leg 2."""
    async with running(demo.settings(id_jag=True)) as proxy:
        token = demo.mint_id_token("alice")
        answers = await asyncio.gather(*(proxy.get("/chat/1", token) for _ in range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert spent(demo) == (1, 1, 1)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://evil.example"},
        {"sub": "00u1bob0000000000001"},
        {"client_id": "somebody-else"},
        {"exp": int(time.time()) - 10},
        {"exp": None},
    ],
    ids=lambda claims: next(iter(claims)),
)
async def test_an_id_jag_that_is_another_is_not_redeemed(demo: Demo, claims):
    """The identity provider errs, or is made to: the other company never gets to see it."""
    async with running(demo.settings(id_jag=True)) as proxy:
        demo.faults.claims.update(claims)
        answer = await proxy.get("/chat/1", demo.mint_id_token("alice"))
    assert (answer.status_code, answer.json()["code"]) == (502, "exchange_response_invalid")
    assert demo.partner_calls["token"] == 0
    assert demo.api_calls["api"] == 0


async def test_the_scopes_stand_in_both_legs(demo: Demo):
    """What the ID-JAG was made for is asked for again where it is redeemed; audience and resource are not."""
    async with running(demo.settings(id_jag=True)) as proxy:
        await proxy.get("/chat/1", demo.mint_id_token("alice"))
    first, second = demo.requests[-1].form, demo._partner_wire.requests[-1].form
    assert (first["scope"], second["scope"]) == ("chat.read", "chat.read")
    assert (first["audience"], first["resource"]) == (
        demo.partner.issuer("chat"),
        "https://api.chat.example/",
    )
    assert set(second) == {"grant_type", "assertion", "scope"}


async def test_a_server_that_will_have_no_scope_named(demo: Demo):
    """Okta's custom servers: the ID-JAG has the scopes. It is learnt once, and costs no ID-JAG."""
    demo.partner.scope_by_assertion = True
    async with running(demo.settings(id_jag=True)) as proxy:
        answers = [await proxy.get("/chat/1", demo.mint_id_token(user)) for user in ("alice", "bob")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["claims"]["scp"] == ["chat.read"]
    assert ["scope" in asked.form for asked in demo._partner_wire.requests if asked.endpoint == "token"] == [
        True,
        False,
        False,
    ]
    assert demo.tenant.id_jags == {"alice": 1, "bob": 1}


async def test_consent_is_asked_once(demo: Demo):
    """403 with the org's own page; once the user has agreed there, the very next request passes."""
    async with running(demo.settings(id_jag=True)) as proxy:
        token = demo.mint_id_token("alice")
        asked = await proxy.get("/public/saas", token)
        problem = asked.json()
        assert (asked.status_code, problem["code"]) == (403, "interaction_required")
        assert problem["interaction_uri"].startswith("https://127.0.0.1:")
        assert 'error="interaction_required"' in asked.headers["www-authenticate"]
        trusting = ssl.create_default_context(cafile=demo.authority.ca_file)
        async with httpx.AsyncClient(verify=trusting, trust_env=False) as browser:
            assert (await browser.get(problem["interaction_uri"])).status_code == 200
        given = await proxy.get("/public/saas", token, **{"X-Saas-Token": "forged"})
    assert given.status_code == 200
    assert given.json()["headers"]["x-saas-token"] == "(a token)"
    assert "authorization" not in given.json()["headers"]
    assert "gho_" not in asked.text + given.text


async def test_an_access_token_of_the_orgs_stays_refused(demo: Demo):
    """A-17: nobody but Okta can verify it, also where the org's ID tokens pass."""
    async with running(demo.settings(id_jag=True)) as proxy:
        audience = demo.tenant.clients["web"].id
        answer = await proxy.get("/chat/1", demo.mint("alice", server="org", audience=audience))
    assert (answer.status_code, answer.json()["code"]) == (401, "subject_token_invalid")
    assert spent(demo) == (0, 0, 0)


async def test_a_purge_forgets_the_id_jag(demo: Demo):
    """C-25: both legs are asked anew."""
    async with running(demo.settings(id_jag=True)) as proxy:
        token = demo.mint_id_token("alice")
        await proxy.get("/chat/1", token)
        user = {"issuer": demo.issuer("org"), "subject": decode(token)["sub"]}
        assert (await proxy.admin.post("/api/purge", json=user)).status_code == 200
        await proxy.get("/chat/1", token)
    assert spent(demo) == (2, 2, 2)


async def test_what_it_costs_is_told(demo: Demo):
    """The status page, and check with and without a user's token, walk both legs and count."""
    raw = demo.settings(id_jag=True)
    async with running(raw) as proxy:
        routes = {route["name"]: route for route in (await proxy.admin.get("/api/status")).json()["routes"]}
        page = (await proxy.admin.get("/")).text
        inspected = await proxy.admin.post(
            "/api/inspect", json={"token": demo.mint_id_token("alice"), "route": "chat"}
        )
    assert routes["chat"]["id_jags"] == {
        "a_day": 9,
        "a_month": 198,
        "allowance": 250,
        "told": "9 ID-JAGs a day and 198 a month for a user who is active 8 hours on 22 days",
    }
    assert routes["orders"]["id_jags"] is None
    assert "198 a month" in page
    steps = {step["step"]: step["verdict"] for step in inspected.json()["steps"]}
    assert (steps["first_leg"], steps["exchange"], steps["answer"], steps["id_jags"]) == ("pass",) * 4
    assert "eyJ" not in inspected.text
    settings = parse_settings(raw)
    report = await examine_all(settings, SystemClock(), route="chat", token=demo.mint_id_token("alice"))
    assert report.ok, report.findings
    assert {"first_leg", "id_jags"} <= {finding.step for finding in report.findings}
    without = await examine_all(settings, SystemClock(), route="chat")
    assert [finding.verdict for finding in without.findings if finding.step == "id_jags"] == ["pass"]


async def test_check_judges_by_the_users_own_token(demo: Demo):
    """An actor whom the ID-JAG names is none of the user's token's: requests are served, and check says so."""
    raw = demo.settings(id_jag=True)
    for route in raw["routes"]:
        if route["name"] == "chat":
            route["allowed_actors"] = ["agent"]
    demo.tenant.faults.claims = {"act": {"sub": "stranger"}}
    async with running(raw) as proxy:
        assert (await proxy.get("/chat/1", demo.mint_id_token("alice"))).status_code == 200
    report = await examine_all(
        parse_settings(raw), SystemClock(), route="chat", token=demo.mint_id_token("alice")
    )
    assert [one for one in report.findings if one.verdict == "fail"] == []


def _connection(demo: Demo):
    return demo.tenant.clients["obo-proxy"].connections[demo.partner.issuer("chat")]


def _distrust(demo: Demo):
    """The other company expects other keys."""
    demo.partner.trusts[demo.issuer("org")] = KeyRing("other")


@pytest.mark.parametrize(
    ("spoil", "step", "remedy"),
    [
        (
            lambda demo: demo.tenant.clients["obo-proxy"].connections.clear(),
            "first_leg",
            "Resource connections",
        ),
        (lambda demo: demo.tenant.clients["obo-proxy"].linked.clear(), "first_leg", "linked"),
        (
            lambda demo: _connection(demo).scopes.clear(),
            "first_leg",
            "Resource connections: allow the route's",
        ),
        (lambda demo: setattr(_connection(demo), "client_id", "other"), "first_leg", "client.id"),
        (lambda demo: demo.partner.servers["chat"].rules[0].grants.clear(), "exchange", "JWT Bearer"),
        (lambda demo: demo.partner.servers["chat"].rules.clear(), "exchange", "JWT Bearer"),
        (_distrust, "exchange", "must trust"),
    ],
    ids=["no connection", "not linked", "scope", "client_id", "grant", "policy", "trust"],
)
async def test_remedies_of_each_leg(demo: Demo, spoil, step, remedy):
    """Each refusal that Okta documents for Cross App Access says where to click."""
    settings = parse_settings(demo.settings(id_jag=True))
    spoil(demo)
    report = await examine_all(settings, SystemClock(), route="chat", token=demo.mint_id_token("alice"))
    (failure,) = [
        one for one in report.findings if one.verdict == "fail" and one.step in ("first_leg", "exchange")
    ]
    assert failure.step == step
    assert remedy in failure.remedy


async def test_a_custom_server_makes_no_id_jags(demo: Demo):
    """Okta: the org authorization server alone does."""
    raw = demo.settings(id_jag=True)
    raw["routes"][-2]["identity_provider"] = "orders"
    report = await examine_all(
        parse_settings(raw), SystemClock(), route="chat", token=demo.mint_id_token("alice")
    )
    (failure,) = [one for one in report.findings if one.step == "first_leg"]
    assert "org authorization server" in failure.remedy


async def test_a_log_line_for_each_leg(demo: Demo, caplog):
    """O-04: each with its own server, client and outcome, and no token in either."""
    caplog.set_level("INFO")
    async with running(demo.settings(id_jag=True)) as proxy:
        await proxy.get("/chat/1", demo.mint_id_token("alice"))
    lines = [record for record in caplog.records if record.getMessage() == "exchange"]
    assert [(line.leg, line.authorization_server, line.grant) for line in lines] == [
        (1, "org", "token_exchange"),
        (2, "chat", "assertion"),
    ]
    assert lines[0].subject == lines[1].subject
    assert lines[0].client_id != lines[1].client_id
    assert not any("eyJ" in str(vars(line)) for line in lines)
