"""The token endpoint gives what Okta gives, and refuses as Okta refuses."""

from __future__ import annotations

import json

import pytest

from proxy.demo.refusals import REFUSALS
from proxy.demo.tenant import CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE
from proxy.demo.tokens import build_claims, build_id_claims, mint, mint_opaque, sign
from tests.demo.conftest import URL
from tests.support.demo import basic, decode, resign


async def test_exchanged_token_has_oktas_claims(org):
    """An exchange at a trusting server gives a token of that server for the user, with the client as cid."""
    answer = await org.exchange()
    token = answer.json().pop("access_token")
    claims = decode(token)
    assert answer.json() == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "access_token": token,
        "scope": "orders:read",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    assert list(claims) == ["ver", "jti", "iss", "aud", "iat", "exp", "cid", "uid", "scp", "auth_time", "sub"]
    assert claims["sub"] == "alice"
    assert claims["aud"] == "api://orders"
    assert claims["iss"] == f"{URL}/oauth2/orders"
    assert claims["scp"] == ["orders:read"]
    assert claims["cid"] == org.tenant.clients["obo-proxy"].id
    assert org.app.calls["token_exchange"] == 1
    assert org.app.requests[-1].form["audience"] == "api://orders"


async def test_same_server_exchange(org):
    """A server exchanges its own tokens without being told to trust itself."""
    answer = await org.exchange("default", scope="api:access:read")
    assert decode(answer.json()["access_token"])["aud"] == "api://default"


def _untick(tenant):
    tenant.clients["obo-proxy"].grant_types.discard(TOKEN_EXCHANGE)


def _unlicense(tenant):
    tenant.token_exchange_licensed = False


def _make_browser_app(tenant):
    tenant.clients["obo-proxy"].service = False


def _remove_policy(tenant):
    tenant.servers["orders"].rules.clear()


def _narrow_rule(tenant):
    tenant.servers["orders"].rules[0].scopes = {"orders:read"}


def _distrust(tenant):
    tenant.servers["orders"].trusted.clear()


def _set_user(**fields):
    def change(tenant):
        for name, value in fields.items():
            setattr(tenant.users["alice"], name, value)

    return change


def _limit(tenant):
    tenant.faults.limited_users.add("alice")


def _require_dpop(tenant):
    tenant.clients["obo-proxy"].dpop_required = True


MISCONFIGURED = {
    "grant type unticked": (_untick, {}, "unauthorized_client"),
    "SKU not licensed": (_unlicense, {}, "token_exchange_sku_not_enabled"),
    "not a service app": (_make_browser_app, {}, "on_behalf_invalid_client_type"),
    "no access policy": (_remove_policy, {}, "no_matching_policy"),
    "no scope in the rule": (_narrow_rule, {"scope": "orders:write"}, "no_scope_allowed"),
    "one scope not in the rule": (_narrow_rule, {"scope": "orders:read orders:write"}, "scope_denied"),
    "trusted server missing": (_distrust, {}, "associated_server_not_trusted"),
    "user deactivated": (_set_user(active=False), {}, "invalid_subject_token_user_inactive"),
    "user not assigned": (_set_user(assigned=False), {}, "invalid_subject_token_user_not_assigned"),
    "session ended": (_set_user(signed_in=False), {}, "token_exchange_subject_token_expired"),
    "no consent": (_set_user(consented=False), {}, "consent_required"),
    "step-up": (_set_user(step_up={"max_age": 60}), {}, "insufficient_user_authentication"),
    "over the user's limit": (_limit, {}, "user_rate_limited"),
    "DPoP required": (_require_dpop, {}, "invalid_dpop_proof_missing_header"),
}


@pytest.mark.parametrize(("change", "form", "refusal"), MISCONFIGURED.values(), ids=MISCONFIGURED)
async def test_misconfiguration(org, change, form, refusal):
    """What is set wrongly in the org is refused in Okta's words."""
    change(org.tenant)
    answer = await org.exchange(**form)
    status, error, description = REFUSALS[refusal]
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"].startswith(description.partition("{")[0])
    assert answer.headers["cache-control"] == "no-cache, no-store"


WRONG_REQUESTS = {
    "no grant type": ({"grant_type": None}, "token_request_missing_grant_type"),
    "unknown grant type": ({"grant_type": "password"}, "unsupported_grant_type"),
    "no subject token": ({"subject_token": None}, "missing_token_request_parameter"),
    "no subject token type": ({"subject_token_type": None}, "missing_token_request_parameter"),
    "other subject token type": ({"subject_token_type": "saml2"}, "invalid_subject_token_type"),
    "other requested type": ({"requested_token_type": "saml2"}, "invalid_requested_token_type"),
    "not a token": ({"subject_token": "x"}, "invalid_subject_token"),
    "other audience": ({"audience": "api://payroll"}, "token_exchange_invalid_audience"),
    "no audience": ({"audience": None}, "token_exchange_invalid_audience"),
    "other resource": ({"resource": "https://x"}, "token_exchange_invalid_resource"),
    "openid": ({"scope": "openid orders:read"}, "openid_not_allowed_token_exchange"),
    "unknown scope": ({"scope": "orders:burn"}, "no_matching_scope"),
    "no scope": ({"scope": None}, "no_default_scopes"),
    "actor without type": ({"actor_token": "x"}, "invalid_actor_token"),
    "actor not a token": ({"actor_token": "x", "actor_token_type": "y"}, "invalid_actor_token"),
}


@pytest.mark.parametrize(("form", "refusal"), WRONG_REQUESTS.values(), ids=WRONG_REQUESTS)
async def test_wrong_request(org, form, refusal):
    """What a wrong request gets is Okta's row for it."""
    answer = await org.exchange(**form)
    status, error, description = REFUSALS[refusal]
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"].startswith(description.partition("{")[0])


def _expired(tenant):
    return mint(tenant, "alice", expires_in=-1)


def _revoked(tenant):
    token = mint(tenant, "alice")
    tenant.revoked.add(decode(token)["jti"])
    return token


def _forged(tenant):
    return resign(mint(tenant, "alice"))


def _retired_key(tenant):
    token = mint(tenant, "alice")
    tenant.servers["default"].keys.rotate()
    tenant.servers["default"].keys.retire()
    return token


def _foreign(tenant):
    return mint(tenant, "alice", claims={"iss": "https://elsewhere.example"})


def _nobodys(tenant):
    return mint(tenant, "alice", claims={"sub": "zoe", "uid": "00uzoe"})


def _id_token(tenant):
    server, user = tenant.servers["default"], tenant.users["alice"]
    claims = build_id_claims(tenant, server, client_id="x", user=user, nonce=None, auth_time=0)
    return sign(server, claims)


BAD_SUBJECTS = {
    "expired": (_expired, "invalid_grant"),
    "revoked": (_revoked, "invalid_grant"),
    "forged": (_forged, "invalid_request"),
    "signed by a key that is gone": (_retired_key, "invalid_request"),
    "of no server here": (_foreign, "invalid_request"),
    "of nobody here": (_nobodys, "invalid_request"),
    "an ID token": (_id_token, "invalid_request"),
}


@pytest.mark.parametrize(("make", "error"), BAD_SUBJECTS.values(), ids=BAD_SUBJECTS)
async def test_bad_subject_token(org, make, error):
    """Only a live access token of this org is exchanged."""
    answer = await org.exchange(subject_token=make(org.tenant))
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_id_token_as_what_it_is(org):
    """An ID token is exchanged where it is said to be one."""
    kind = "urn:ietf:params:oauth:token-type:id_token"
    answer = await org.exchange(subject_token=_id_token(org.tenant), subject_token_type=kind)
    assert decode(answer.json()["access_token"])["sub"] == "alice"


async def test_opaque_subject_token(org):
    """A reference is exchanged like the token it stands for."""
    answer = await org.exchange(subject_token=mint_opaque(org.tenant, "bob"))
    assert decode(answer.json()["access_token"])["sub"] == "bob"


async def test_actor(org):
    """The actor token's client stands in the issued token as act."""
    server, client = org.tenant.servers["orders"], org.tenant.clients["obo-proxy"]
    actor = sign(server, build_claims(org.tenant, server, client_id=client.id, scopes=["orders:read"]))
    kind = "urn:ietf:params:oauth:token-type:access_token"
    answer = await org.exchange(actor_token=actor, actor_token_type=kind)
    assert decode(answer.json()["access_token"])["act"] == {"sub": client.id}
    old = sign(server, build_claims(org.tenant, server, client_id=client.id, scopes=[], expires_in=-1))
    refused = await org.exchange(actor_token=old, actor_token_type=kind)
    assert refused.json()["error"] == "invalid_request"


async def test_resource_instead_of_audience(org):
    """A resource indicator that the server knows may stand for the audience."""
    org.tenant.servers["orders"].resources.add("https://orders.example")
    answer = await org.exchange(audience=None, resource="https://orders.example")
    assert decode(answer.json()["access_token"])["aud"] == "api://orders"


async def test_parameter_twice(org):
    """RFC 6749 §3.2: no parameter may come twice."""
    body = b"grant_type=client_credentials&scope=a&scope=b"
    headers = {"authorization": basic(), "content-type": "application/x-www-form-urlencoded"}
    answer = await org.http.post("/oauth2/orders/v1/token", content=body, headers=headers)
    assert answer.json()["error_description"] == REFUSALS["duplicate_oauth_params"].description


async def test_client_credentials(org):
    """A client's own token names the client and no user."""
    answer = await org.ask("orders", {"grant_type": CLIENT_CREDENTIALS, "scope": "orders:read"})
    claims = decode(answer.json()["access_token"])
    assert claims["sub"] == claims["cid"] == org.tenant.clients["obo-proxy"].id
    assert "uid" not in claims
    assert "issued_token_type" not in answer.json()


@pytest.mark.parametrize(
    ("server", "scope", "error"),
    [
        ("orders", "openid", "invalid_scope"),
        ("orders", "", "invalid_scope"),
        ("org", "okta.users.read", "invalid_client"),
    ],
    ids=["openid", "no scope", "org with a secret"],
)
async def test_client_credentials_refused(org, server, scope, error):
    """The org's own server takes no secret, and no server gives a client OpenID scopes."""
    answer = await org.ask(server, {"grant_type": CLIENT_CREDENTIALS, "scope": scope})
    assert answer.json()["error"] == error


async def test_on_behalf_of_as_entra(org):
    """jwt-bearer with requested_token_use=on_behalf_of takes scopes that carry the audience."""
    form = {
        "grant_type": JWT_BEARER,
        "assertion": mint(org.tenant, "bob"),
        "requested_token_use": "on_behalf_of",
        "scope": "api://orders/orders:read",
    }
    answer = await org.ask("orders", form)
    assert decode(answer.json()["access_token"])["sub"] == "bob"
    del form["requested_token_use"]
    assert (await org.ask("orders", form)).json()["error"] == "invalid_request"


async def test_altered_tokens_and_answers(org):
    """The fault switch changes claims and members, and leaves out what is None."""
    org.tenant.faults.claims = {"aud": "api://elsewhere", "scp": None}
    org.tenant.faults.members = {"expires_in": 10**18, "issued_token_type": None}
    answer = await org.exchange()
    claims = decode(answer.json()["access_token"])
    assert claims["aud"] == "api://elsewhere"
    assert "scp" not in claims
    assert answer.json()["expires_in"] == 10**18
    assert "issued_token_type" not in answer.json()


async def test_step_up_names_what_is_needed(org):
    """RFC 9470: the refusal carries acr_values and max_age."""
    org.tenant.users["alice"].step_up = {"acr_values": "urn:okta:loa:2fa:any", "max_age": 60}
    body = (await org.exchange()).json()
    assert (body["acr_values"], body["max_age"]) == ("urn:okta:loa:2fa:any", 60)


def test_refusals_are_json():
    """Every row can be sent."""
    assert json.dumps([row.description for row in REFUSALS.values()])
