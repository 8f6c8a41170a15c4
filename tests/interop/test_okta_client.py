"""Okta's own SDK and the proxy at the same two servers: what they say is compared field by field."""

from __future__ import annotations

import os
from typing import Any

import pytest

from proxy.demo import Demo
from proxy.demo.tenant import TOKEN_EXCHANGE
from tests.support.proxy import running

if os.environ.get("CI") != "true":
    pytest.importorskip("okta_client")

from okta_client.authfoundation import LocalKeyProvider, OAuth2Client, OAuth2ClientConfiguration
from okta_client.authfoundation.oauth2.client_authorization import ClientAssertionAuthorization
from okta_client.authfoundation.oauth2.jwt_bearer_claims import JWTBearerClaims
from okta_client.oauth2auth import CrossAppAccessFlow, CrossAppAccessTarget

# Signed anew each time, or another user's.
PASSING = {"client_assertion", "subject_token", "assertion"}


def forms(demo: Demo) -> list[dict[str, Any]]:
    """The last token request at the org and at the other company, with what differs each time left empty."""
    last = []
    for requests in (demo.requests, demo._partner_wire.requests):
        form = next(one.form for one in reversed(requests) if one.endpoint == "token")
        last.append({name: "" if name in PASSING else value for name, value in form.items()})
    return last


async def say_by_sdk(demo: Demo) -> list[dict[str, Any]]:
    client_id = demo.tenant.clients["obo-proxy-key"].id
    claims = JWTBearerClaims(
        issuer=client_id, subject=client_id, audience=f"{demo.org_url}/oauth2/v1/token", expires_in=60.0
    )
    keys = LocalKeyProvider.from_pem(
        demo.private_key_file.read_text(), algorithm="ES256", key_id=demo.private_key_id
    )
    client = OAuth2Client(
        configuration=OAuth2ClientConfiguration(
            issuer=demo.org_url,
            client_authorization=ClientAssertionAuthorization(assertion_claims=claims, key_provider=keys),
        )
    )
    flow = CrossAppAccessFlow(client=client, target=CrossAppAccessTarget(issuer=demo.partner.issuer("chat")))
    await flow.start(
        token=demo.mint_id_token("alice"),
        audience=demo.partner.issuer("chat"),
        resource=["https://api.chat.example/"],
        scope=["chat.read"],
    )
    await flow.resume()
    return forms(demo)


async def say_by_proxy(demo: Demo, raw: dict[str, Any]) -> list[dict[str, Any]]:
    async with running(raw) as proxy:
        assert (await proxy.get("/chat/1", demo.mint_id_token("bob"))).status_code == 200
    return forms(demo)


async def test_both_legs_field_by_field(demo: Demo):
    """Okta's SDK names no scope where the ID-JAG is redeemed; neither does the proxy, once that was refused."""
    demo.partner.scope_by_assertion = True
    # One client at both, known by one key, as with Okta's own servers.
    ours = demo.tenant.clients["obo-proxy-key"]
    demo.partner.clients["obo-proxy"] = ours
    connection = ours.connections[demo.partner.issuer("chat")]
    connection.client_id = ours.id
    demo.partner.servers["chat"].rules[0].clients.add(ours.id)
    raw = demo.settings(private_key_jwt=True, id_jag=True)
    raw["authorization_servers"]["chat"]["client"] = raw["authorization_servers"]["org"]["client"]
    theirs, proxys = await say_by_sdk(demo), await say_by_proxy(demo, raw)
    assert theirs[0]["grant_type"] == TOKEN_EXCHANGE
    # RFC 7521 §4.2: beside an assertion the client id is optional; some servers want it.
    assert [form.pop("client_id") for form in proxys] == [ours.id, ours.id]
    assert theirs == proxys
