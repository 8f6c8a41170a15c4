"""Cross App Access: the org makes ID-JAGs, another company's server redeems them; and consent that is asked once.

draft-ietf-oauth-identity-assertion-authz-grant §3 and §4, and Okta's OAuth STS.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import jwt

from .refusals import Refused
from .tenant import OPENID_SCOPES, Client, Server, Tenant, User

ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
OAUTH_STS = "urn:okta:params:oauth:token-type:oauth-sts"
_TYPE = {"typ": "oauth-id-jag+jwt"}
_LIFETIME = 300  # s, Okta's


def make_id_jag(
    tenant: Tenant,
    server: Server,
    client: Client,
    form: Mapping[str, str],
    subject: Mapping[str, Any],
    user: User,
) -> dict[str, Any]:
    """The answer of the first leg, or ``Refused``: by the app's connections, as an administrator has made them."""
    if subject.get("aud") not in {client.id, *client.linked}:
        raise Refused("invalid_subject_token_audience")
    connection = client.connections.get(form.get("audience", ""))
    if connection is None:
        raise Refused("id_jag_invalid_audience")
    resource = form.get("resource")
    if resource is not None and resource not in connection.resources:
        raise Refused("id_jag_invalid_audience")
    scopes = form.get("scope", "").split()
    if OPENID_SCOPES.intersection(scopes):
        raise Refused("id_jag_system_scope")
    if not connection.scopes.issuperset(scopes):
        raise Refused("id_jag_scope_not_permitted")
    now = int(tenant.now())
    tenant.id_jags[user.login] += 1
    claims = {
        "jti": f"IDAAG.{secrets.token_urlsafe(32)}",
        "iss": tenant.issuer(server.name),
        "sub": subject["sub"],
        "aud": form["audience"],
        "client_id": connection.client_id,
        "iat": now,
        "exp": now + _LIFETIME,
        "scope": " ".join(scopes),
        "email": user.email,
        **({} if resource is None else {"resource": resource}),
    }
    return {
        "token_type": "N_A",
        "issued_token_type": ID_JAG,
        "expires_in": _LIFETIME,
        "scope": " ".join(scopes),
        "access_token": server.published_keys.sign(claims | tenant.faults.claims, _TYPE),
    }


def read_id_jag(tenant: Tenant, server: Server, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
    """The claims of the assertion, if ``client`` may redeem it here; else ``Refused``."""
    assertion = form.get("assertion", "")
    try:
        header = jwt.get_unverified_header(assertion)
        issuer = jwt.decode(assertion, options={"verify_signature": False}).get("iss")
        claims = tenant.trusts[str(issuer)].verify(assertion)
    except (jwt.PyJWTError, KeyError):
        raise Refused("id_jag_invalid") from None
    good = (
        header.get("typ") == _TYPE["typ"]
        and claims.get("aud") == tenant.issuer(server.name)
        and claims.get("client_id") == client.id
        and claims.get("exp", 0) > tenant.now()
    )
    if not good:
        raise Refused("id_jag_invalid")
    if tenant.scope_by_assertion and "scope" in form:
        raise Refused("id_jag_scope_not_allowed")
    if not set(str(claims.get("scope", "")).split()).issuperset(form.get("scope", "").split()):
        raise Refused("id_jag_scope_exceeded")
    return claims


def broker(tenant: Tenant, form: Mapping[str, str], user: User) -> dict[str, Any]:
    """Another company's token for the user's account there, once the user has agreed."""
    resource = form.get("resource", "")
    if (user.login, resource) not in tenant.consents:
        handle = secrets.token_urlsafe(16)
        tenant.consent_handles[handle] = (user.login, resource)
        uri = f"{tenant.tls_url}/oauth2/v1/sts/redirect?dataHandle={handle}"
        raise Refused("interaction_required", members={"interaction_uri": uri})
    return {
        "token_type": "Bearer",
        "issued_token_type": OAUTH_STS,
        "expires_in": 3600,
        "access_token": f"gho_{user.login}_{secrets.token_urlsafe(16)}",
    }
