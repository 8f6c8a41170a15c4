"""Tokens with Okta's claims: access tokens of custom servers and of the org, ID tokens, opaque ones."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from .refusals import Refused
from .tenant import Client, Server, Tenant, User

# The org's own access tokens are for nobody else to verify: another type, and keys that are not published.
_ORG_TYPE = {"typ": "application/okta-internal-at+jwt"}


def build_claims(
    tenant: Tenant,
    server: Server,
    *,
    client_id: str,
    scopes: Sequence[str],
    user: User | None = None,
    auth_time: int | None = None,
    expires_in: float | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """An access token's claims in Okta's order; without ``user`` the client acts for itself."""
    now = int(tenant.now())
    lifetime = server.lifetime if expires_in is None else expires_in
    claims = {
        "ver": 1,
        "jti": f"AT.{secrets.token_urlsafe(32)}",
        "iss": tenant.issuer(server.name),
        "aud": server.audience,
        "iat": now,
        "exp": int(now + lifetime),
        "cid": client_id,
    }
    if user is None:
        claims |= {"scp": list(scopes), "sub": client_id}
    else:
        if user.signed_in_at is None:
            user.signed_in_at = now
        signed_in_at = user.signed_in_at if auth_time is None else auth_time
        claims |= {"uid": user.uid, "scp": list(scopes), "auth_time": signed_in_at, "sub": user.login}
    return override(claims, extra or {})


def build_id_claims(
    tenant: Tenant, server: Server, *, client_id: str, user: User, nonce: str | None, auth_time: int
) -> dict[str, Any]:
    """An ID token's claims (OpenID Connect Core §2): ``sub`` is Okta's user id, ``aud`` the client."""
    now = int(tenant.now())
    claims = {
        "sub": user.uid,
        "name": user.name,
        "email": user.email,
        "ver": 1,
        "iss": tenant.issuer(server.name),
        "aud": client_id,
        "iat": now,
        "exp": now + server.lifetime,
        "jti": f"ID.{secrets.token_urlsafe(32)}",
        "amr": ["pwd"],
        "idp": "00o1demo000000000001",
        "nonce": nonce,
        "preferred_username": user.login,
        "auth_time": auth_time,
    }
    return override(claims, {})


def sign(server: Server, claims: dict[str, Any]) -> str:
    """The token as that server signs it."""
    return server.keys.sign(claims, _ORG_TYPE if server.name == "org" else None)


def mint(
    tenant: Tenant,
    login: str,
    *,
    server: str = "default",
    audience: str | Sequence[str] | None = None,
    scopes: Sequence[str] = ("openid", "profile", "orders:read"),
    expires_in: float | None = None,
    client_id: str | None = None,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """A fresh access token of that user, as after signing in to the web app.

    ``expires_in`` in seconds may be negative. ``claims`` are put over what is there, None leaves one out.
    """
    issued_by = tenant.servers[server]
    built = build_claims(
        tenant,
        issued_by,
        client_id=client_id or tenant.clients["web"].id,
        scopes=scopes,
        user=tenant.user(login),
        expires_in=expires_in,
        extra={**({} if audience is None else {"aud": audience}), **(claims or {})},
    )
    return sign(issued_by, built)


def mint_id_token(tenant: Tenant, login: str, *, server: str = "org", expires_in: float | None = None) -> str:
    """A fresh ID token of that user, as after signing in to the web app."""
    issued_by, user = tenant.servers[server], tenant.user(login)
    client_id, now = tenant.clients["web"].id, int(tenant.now())
    claims = build_id_claims(tenant, issued_by, client_id=client_id, user=user, nonce=None, auth_time=now)
    if expires_in is not None:
        claims["exp"] = int(now + expires_in)
    return issued_by.published_keys.sign(claims)


def mint_opaque(tenant: Tenant, login: str, **wishes: Any) -> str:
    """A reference that only introspection can read, to a token as ``mint`` would make it."""
    reference = secrets.token_urlsafe(32)
    tenant.opaque[reference] = jwt.decode(mint(tenant, login, **wishes), options={"verify_signature": False})
    return reference


def read_token(tenant: Tenant, token: str) -> dict[str, Any]:
    """The claims of a token that one of the org's servers made, in whatever state; else PyJWTError."""
    if token in tenant.opaque:
        return tenant.opaque[token]
    issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    server = tenant.server_of(issuer)
    if server is None:
        raise jwt.InvalidIssuerError("no server of this org")
    try:
        return server.keys.verify(token)
    except jwt.InvalidTokenError:
        if server.id_keys is None:
            raise
        return server.id_keys.verify(token)


def is_live(tenant: Tenant, claims: Mapping[str, Any]) -> bool:
    """Whether the token has neither ended nor been revoked, nor its user's session or account."""
    user = user_of(tenant, claims)
    standing = user is None or (user.active and user.signed_in)
    return claims.get("exp", 0) > tenant.now() and claims.get("jti") not in tenant.revoked and standing


def user_of(tenant: Tenant, claims: Mapping[str, Any]) -> User | None:
    """The user whose token it is; None for a client's own."""
    return next((user for user in tenant.users.values() if user.uid == claims.get("uid")), None) or next(
        (user for user in tenant.users.values() if claims.get("sub") in (user.login, user.uid)), None
    )


def override(claims: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The claims with others put over them, and those that are None left out."""
    return {name: value for name, value in {**claims, **over}.items() if value is not None}


def check_scopes(server: Server, client: Client, grant: str, scopes: Sequence[str], *, unlisted: str) -> None:
    """The server's scopes, then its access policy; ``unlisted`` is the refusal when no scope was asked for."""
    if not scopes:
        raise Refused(unlisted)
    if not server.scopes.issuperset(scopes):
        raise Refused("no_matching_scope")
    rules = [rule for rule in server.rules if client.id in rule.clients and grant in rule.grants]
    if not rules:
        raise Refused("no_matching_policy")
    granted = {scope for rule in rules for scope in rule.scopes}
    denied = [scope for scope in scopes if scope not in granted]
    if len(denied) == len(scopes):
        raise Refused("no_scope_allowed")
    if denied:
        raise Refused("scope_denied", values=", ".join(denied))
