"""The demo's two companies refuse as the real ones do: a first token goes to one server, by one client, and ends."""

from __future__ import annotations

import time
from typing import Any

import httpx
import jwt
import pytest

from proxy.demo import Demo
from proxy.demo.org import CHAT_API, PARTNER_ID, SERVICE_ID
from proxy.demo.signing import KeyRing
from proxy.demo.tenant import JWT_BEARER, TOKEN_EXCHANGE
from tests.support.demo import basic, decode
from tests.support.proxy import PLAIN

URN = "urn:ietf:params:oauth:token-type:"


async def make(demo: Demo, **over: str | None) -> httpx.Response:
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": demo.mint_id_token("alice"),
        "subject_token_type": f"{URN}id_token",
        "requested_token_type": f"{URN}id-jag",
        "audience": demo.partner.issuer("chat"),
        "resource": CHAT_API,
        "scope": "chat.read",
    }
    sent = {name: value for name, value in {**form, **over}.items() if value is not None}
    async with httpx.AsyncClient(trust_env=False, verify=PLAIN) as http:
        url = f"{demo.org_url}/oauth2/v1/token"
        return await http.post(url, data=sent, headers={"authorization": basic(SERVICE_ID)})


async def redeem(demo: Demo, assertion: str, client_id: str = PARTNER_ID, **form: str) -> httpx.Response:
    sent = {"grant_type": JWT_BEARER, "assertion": assertion} | form
    async with httpx.AsyncClient(trust_env=False, verify=PLAIN) as http:
        url = f"{demo.partner.issuer('chat')}/v1/token"
        return await http.post(url, data=sent, headers={"authorization": basic(client_id)})


async def test_an_id_jag(demo: Demo):
    """draft-ietf-oauth-identity-assertion-authz-grant §3.1: its header, its claims, and the answer around it."""
    answer = (await make(demo)).json()
    assert (answer["token_type"], answer["issued_token_type"]) == ("N_A", f"{URN}id-jag")
    assert jwt.get_unverified_header(answer["access_token"])["typ"] == "oauth-id-jag+jwt"
    claims = decode(answer["access_token"])
    assert claims.keys() >= {"iss", "sub", "aud", "client_id", "jti", "exp", "iat"}
    assert (claims["aud"], claims["client_id"]) == (demo.partner.issuer("chat"), PARTNER_ID)
    redeemed = (await redeem(demo, answer["access_token"], scope="chat.read")).json()
    assert decode(redeemed["access_token"])["aud"] == CHAT_API
    assert "refresh_token" not in redeemed


@pytest.mark.parametrize(
    ("over", "error"),
    [
        ({"audience": "https://elsewhere.example"}, "invalid_target"),
        ({"audience": None}, "invalid_target"),
        ({"resource": "https://elsewhere.example/"}, "invalid_target"),
        ({"scope": "chat.admin"}, "unauthorized_client"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"requested_token_type": f"{URN}saml2"}, "invalid_request"),
        ({"subject_token_type": f"{URN}access_token"}, "invalid_request"),
        ({"subject_token": "e30.e30.x"}, "invalid_request"),
    ],
)
async def test_what_the_org_refuses(demo: Demo, over: dict[str, Any], error: str):
    """By the connections that its administrator has made."""
    answer = await make(demo, **over)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    "over",
    [
        {"aud": "https://elsewhere.example"},
        {"client_id": "other"},
        {"exp": int(time.time()) - 1},
        {"iss": "https://elsewhere.example"},
        {"typ": "JWT"},
        {"key": "another"},
    ],
    ids=lambda over: next(iter(over)),
)
async def test_what_the_other_company_refuses(demo: Demo, over: dict[str, Any]):
    """Whatever is not the org's word, to it, about this client."""
    good = decode((await make(demo)).json()["access_token"])
    keys = KeyRing("other") if "key" in over else demo.tenant.servers["org"].published_keys
    claims = good | {name: value for name, value in over.items() if name not in ("typ", "key")}
    forged = keys.sign(claims, {"typ": over.get("typ", "oauth-id-jag+jwt")})
    answer = await redeem(demo, forged)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_no_more_scopes_than_the_assertion_has(demo: Demo):
    """The ID-JAG's scope is the ceiling."""
    answer = await redeem(demo, (await make(demo)).json()["access_token"], scope="chat.read chat.write")
    assert answer.json()["error"] == "invalid_scope"
