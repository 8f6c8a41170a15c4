"""Metadata, keys, introspection, header fields, faults and the demo's own paths."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime

import jwt
import pytest

from proxy.demo.tokens import mint, mint_opaque
from tests.demo.conftest import URL
from tests.support.demo import basic, decode


@pytest.mark.parametrize(
    ("path", "issuer"),
    [
        ("/.well-known/oauth-authorization-server/oauth2/default", "/oauth2/default"),
        ("/oauth2/default/.well-known/oauth-authorization-server", "/oauth2/default"),
        ("/oauth2/default/.well-known/openid-configuration", "/oauth2/default"),
        ("/.well-known/oauth-authorization-server/oauth2/orders", "/oauth2/orders"),
        ("/.well-known/openid-configuration", ""),
        ("/.well-known/oauth-authorization-server", ""),
    ],
)
async def test_metadata(org, path, issuer):
    """K-03: each form names the issuer, and endpoints under the same base URL."""
    metadata = (await org.http.get(path)).json()
    assert metadata["issuer"] == f"{URL}{issuer}"
    base = f"{URL}{issuer or '/oauth2'}/v1"
    endpoints = {"token_endpoint": "token", "jwks_uri": "keys", "introspection_endpoint": "introspect"}
    assert {name: metadata[name] for name in endpoints} == {
        name: f"{base}/{last}" for name, last in endpoints.items()
    }
    assert org.app.calls["metadata"] == 1


async def test_keys_verify_tokens(org):
    """A user's token verifies with the published key of its kid and has no typ."""
    token = mint(org.tenant, "alice")
    header = jwt.get_unverified_header(token)
    answer = await org.http.get("/oauth2/default/v1/keys")
    jwk = next(jwk for jwk in answer.json()["keys"] if jwk["kid"] == header["kid"])
    claims = jwt.decode(token, jwt.PyJWK(jwk), ["RS256"], audience="api://default")
    assert set(header) == {"kid", "alg"}
    assert claims["sub"] == "alice"
    assert "d" not in jwk
    assert answer.headers["cache-control"] == "max-age=3600, must-revalidate"


async def _published(org):
    return [jwk["kid"] for jwk in (await org.http.get("/oauth2/default/v1/keys")).json()["keys"]]


async def test_rotation_announced(org):
    """K-05: an announced key is published before it signs; the old one stays until it is retired."""
    keys = org.tenant.servers["default"].keys
    before = keys.kid
    keys.announce()
    announced = await _published(org)
    assert keys.kid == before
    keys.rotate()
    assert announced == await _published(org) == [before, keys.kid]
    assert before != keys.kid
    keys.retire()
    assert await _published(org) == [keys.kid]


async def test_rotation_by_surprise(org):
    """K-05: without notice the key is published as it begins to sign."""
    keys = org.tenant.servers["default"].keys
    before = await _published(org)
    keys.rotate()
    assert await _published(org) == [*before, keys.kid]


async def introspect(org, server="default", **form):
    headers = {"authorization": basic()}
    return await org.http.post(f"/oauth2/{server}/v1/introspect", data=form, headers=headers)


async def test_introspection(org):
    """RFC 7662 §2.2: a live token's members, opaque or not."""
    token = mint(org.tenant, "alice", scopes=["a", "b"])
    body = (await introspect(org, token=token)).json()
    assert (body["active"], body["username"], body["scope"], body["sub"]) == (True, "alice", "a b", "alice")
    assert body["token_type"] == "Bearer"
    opaque = (await introspect(org, token=mint_opaque(org.tenant, "bob", scopes=["a"]))).json()
    assert (opaque["active"], opaque["sub"]) == (True, "bob")


def _revoke(tenant, token):
    tenant.revoked.add(decode(token)["jti"])


def _deactivate(tenant, token):
    tenant.users["alice"].active = False


def _sign_out(tenant, token):
    tenant.users["alice"].signed_in = False


def _let_end(tenant, token):
    tenant.faults.clock_offset = 7200


@pytest.mark.parametrize("end", [_revoke, _deactivate, _sign_out, _let_end])
async def test_inactive(org, end):
    """C-14: of a token that has ended in any way, nothing is told but that."""
    token = mint(org.tenant, "alice")
    end(org.tenant, token)
    assert (await introspect(org, token=token)).json() == {"active": False}


async def test_inactive_elsewhere(org):
    """Another server's token, and what is none, are not active here; a token must be given, by a client."""
    assert (await introspect(org, "orders", token=mint(org.tenant, "alice"))).json() == {"active": False}
    assert (await introspect(org, token="x")).json() == {"active": False}
    assert (await introspect(org)).json()["error"] == "invalid_request"
    assert (await org.http.post("/oauth2/default/v1/introspect", data={"token": "x"})).status_code == 401


async def test_header_fields(org):
    """Every answer has Okta's fields and the org's own time."""
    org.tenant.faults.clock_offset = -90
    answer = await org.exchange()
    told = parsedate_to_datetime(answer.headers["date"]).timestamp()
    assert -92 < told - time.time() < -88
    assert answer.headers["x-okta-request-id"]
    assert answer.headers["x-rate-limit-remaining"] == "299"
    assert int(answer.headers["x-rate-limit-reset"]) > 0


async def test_rate_limited(org):
    """X-23: the org's 429 has the management API's shape, no error member, and a reset in epoch seconds."""
    org.tenant.faults.rate_limit(reset_in=30, times=1)
    answer = await org.exchange()
    assert answer.status_code == 429
    assert answer.json()["errorCode"] == "E0000047"
    assert "error" not in answer.json()
    assert answer.headers["x-rate-limit-remaining"] == "0"
    assert 28 < int(answer.headers["x-rate-limit-reset"]) - time.time() < 31
    assert (await org.exchange()).status_code == 200


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        ("html", b"<!doctype"),
        ("truncated", b'{"token_type"'),
        ("empty", b""),
        ("null", b"null"),
        ("deep", b"[[["),
        ("huge", b'{"access_token": "xxx'),
    ],
)
async def test_garbage(org, kind, begins):
    """X-13: the switch gives 200 with what is no answer."""
    org.tenant.faults.garbage("token", kind, size=1000)
    answer = await org.exchange()
    assert answer.status_code == 200
    assert answer.content.startswith(begins)


async def test_failing_and_redirecting(org):
    """The switch works by endpoint, some times or until it is cleared."""
    faults = org.tenant.faults
    faults.fail("token", 500, times=2)
    assert [(await org.exchange()).status_code for _ in range(3)] == [500, 500, 200]
    faults.redirect("token", "http://elsewhere.test/")
    assert (await org.exchange()).headers["location"] == "http://elsewhere.test/"
    assert (await org.http.get("/oauth2/default/v1/keys")).status_code == 200
    faults.clear()
    assert (await org.exchange()).status_code == 200


async def test_held_and_slow(org):
    """A held endpoint answers once it is released; clearing releases too."""
    faults = org.tenant.faults
    faults.slow("token", 0.001)
    faults.hold("token")
    waiting = asyncio.create_task(org.exchange())
    await org.app.calls.reach("token", 1)
    assert not waiting.done()
    faults.release("token")
    assert (await waiting).status_code == 200
    faults.hold("token")
    waiting = asyncio.create_task(org.exchange())
    await org.app.calls.reach("token", 2)
    faults.clear()
    assert (await waiting).status_code == 200


async def test_ready_tokens(org):
    """The demo hands out users' tokens, expired ones and ones for elsewhere too."""
    token = (await org.http.get("/demo/token/alice")).text.strip()
    assert decode(token)["sub"] == "alice"
    wishes = {"expires_in": "-60", "audience": "api://x", "scope": "a b"}
    claims = decode((await org.http.get("/demo/token/bob", params=wishes)).text.strip())
    assert claims["exp"] < time.time()
    assert (claims["aud"], claims["scp"]) == ("api://x", ["a", "b"])
    assert (await org.http.get("/demo/token/zoe")).status_code == 404
    assert (await org.http.put("/demo/users/zoe")).status_code == 204
    assert decode((await org.http.get("/demo/token/zoe")).text.strip())["sub"] == "zoe"
    assert (await org.http.get("/demo/token/bob", params={"expires_in": "soon"})).status_code == 400


async def test_faults_over_http(org):
    """The switch can be thrown from outside, and only by its own names."""
    thrown = await org.http.post("/demo/faults", json={"fault": "fail", "endpoint": "token", "status": 502})
    assert thrown.status_code == 200
    assert (await org.exchange()).status_code == 502
    assert (await org.http.delete("/demo/faults")).status_code == 204
    assert (await org.exchange()).status_code == 200
    for body in (b"x", b'{"fault": "answer"}', b'{"fault": "fail"}', b"[]", b'{"fault": "fail", "no": 1}'):
        assert (await org.http.post("/demo/faults", content=body)).status_code == 400
