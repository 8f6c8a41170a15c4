"""The token endpoint's grants: RFC 6749 §4.1.3 and §4.4, RFC 8693, RFC 7523 §2.1 as Entra ID does on-behalf-of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import jwt

from .id_jag import ID_JAG, OAUTH_STS, broker, make_id_jag, read_id_jag
from .refusals import Refused
from .signing import encode_base64url
from .tenant import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    GRANTS,
    JWT_BEARER,
    OPENID_SCOPES,
    TOKEN_EXCHANGE,
    Client,
    Server,
    Tenant,
    User,
)
from .tokens import build_claims, build_id_claims, check_scopes, override, read_token, sign, user_of

_TYPE = "urn:ietf:params:oauth:token-type:"
_SUBJECT_TYPES = {f"{_TYPE}access_token": "AT.", f"{_TYPE}id_token": "ID.", f"{_TYPE}jwt": ""}
_REQUESTED_TYPES = (f"{_TYPE}access_token", f"{_TYPE}jwt")

Form = Mapping[str, str]
Answer = dict[str, Any]
Confirmation = Mapping[str, str]


class TokenEndpoint:
    """One server's token endpoint, once the client is known and its DPoP proof checked."""

    def __init__(self, tenant: Tenant, server: Server) -> None:
        self._tenant = tenant
        self._server = server

    def answer(self, client: Client, form: Form, cnf: Confirmation) -> Answer:
        """The token answer (RFC 6749 §5.1), or ``Refused``; ``cnf`` is what the token is bound to (RFC 7800)."""
        grant = form.get("grant_type")
        if not grant:
            raise Refused("token_request_missing_grant_type", values=", ".join(GRANTS))
        if grant not in GRANTS:
            raise Refused("unsupported_grant_type", values=", ".join(GRANTS))
        if grant not in client.grant_types:
            raise Refused("unauthorized_client", values=", ".join(sorted(client.grant_types)))
        if grant == AUTHORIZATION_CODE:
            return self._redeem_code(client, form, cnf)
        if grant == CLIENT_CREDENTIALS:
            return self._grant_client(client, form, cnf)
        if grant == TOKEN_EXCHANGE:
            return self._exchange(client, form, cnf)
        return self._act_on_behalf(client, form, cnf)

    def _redeem_code(self, client: Client, form: Form, cnf: Confirmation) -> Answer:
        code = self._tenant.codes.pop(_require(form, "code"), None)
        if code is None or code["expires_at"] < self._tenant.now() or code["client_id"] != client.id:
            raise Refused("invalid_authorization_code")
        if form.get("redirect_uri") != code["redirect_uri"]:
            raise Refused("mismatched_redirect_uri")
        if "code_verifier" not in form:
            raise Refused("pkce_missing_verifier")
        challenge = encode_base64url(hashlib.sha256(form["code_verifier"].encode()).digest())
        if challenge != code["code_challenge"]:
            raise Refused("pkce_verification_failed")
        user, scopes = self._tenant.user(code["login"]), code["scope"].split()
        answer = self._issue(client, scopes, cnf, user=user, auth_time=code["auth_time"])
        if "openid" in scopes:
            claims = build_id_claims(
                self._tenant,
                self._server,
                client_id=client.id,
                user=user,
                nonce=code["nonce"],
                auth_time=code["auth_time"],
            )
            answer["id_token"] = sign(self._server, claims)
        return answer

    def _grant_client(self, client: Client, form: Form, cnf: Confirmation) -> Answer:
        if self._server.name == "org" and client.auth != "private_key_jwt":
            raise Refused("unsupported_auth_method_client_creds")
        scopes = form.get("scope", "").split()
        if OPENID_SCOPES.intersection(scopes):
            raise Refused("openid_not_allowed_client_creds")
        check_scopes(self._server, client, CLIENT_CREDENTIALS, scopes, unlisted="no_default_scopes")
        return self._issue(client, scopes, cnf)

    def _exchange(self, client: Client, form: Form, cnf: Confirmation) -> Answer:
        if not self._tenant.token_exchange_licensed:
            raise Refused("token_exchange_sku_not_enabled")
        if not client.service:
            raise Refused("on_behalf_invalid_client_type")
        subject_token = _require(form, "subject_token")
        prefix = _SUBJECT_TYPES.get(_require(form, "subject_token_type"))
        requested_type = form.get("requested_token_type", _REQUESTED_TYPES[0])
        if prefix is None:
            raise Refused("invalid_subject_token_type")
        special = (ID_JAG, OAUTH_STS) if self._server.name == "org" else ()
        if requested_type not in (*_REQUESTED_TYPES, *special):
            raise Refused("invalid_requested_token_type")
        claims = self._read_subject(subject_token, prefix)
        if requested_type == ID_JAG:
            return make_id_jag(self._tenant, self._server, client, form, claims, self._check_user(claims))
        if requested_type == OAUTH_STS:
            return broker(self._tenant, form, self._check_user(claims))
        actor = self._read_actor(form)
        self._check_target(form)
        answer = self._issue_for_user(client, form, cnf, TOKEN_EXCHANGE, claims, actor)
        return answer | {"issued_token_type": requested_type}

    def _act_on_behalf(self, client: Client, form: Form, cnf: Confirmation) -> Answer:
        """Entra ID's parameters: the user's token is the ``assertion``, the scopes may carry the audience."""
        if self._tenant.trusts:
            return self._redeem(client, form, cnf)
        if form.get("requested_token_use") != "on_behalf_of":
            raise Refused("missing_token_request_parameter", name="requested_token_use")
        claims = self._read_subject(_require(form, "assertion"), "AT.")
        prefix = f"{self._server.audience}/"
        scopes = " ".join(scope.removeprefix(prefix) for scope in form.get("scope", "").split())
        return self._issue_for_user(client, {**form, "scope": scopes}, cnf, JWT_BEARER, claims, None)

    def _redeem(self, client: Client, form: Form, cnf: Confirmation) -> Answer:
        """RFC 7523 §2.1: another company vouches for the user, whose account here has the same ``sub``."""
        claims = read_id_jag(self._tenant, self._server, client, form)
        scopes = form.get("scope", claims.get("scope", "")).split()
        check_scopes(self._server, client, JWT_BEARER, scopes, unlisted="no_default_scopes")
        user = User(claims["sub"], claims["sub"], claims.get("email", ""))
        return self._issue(client, scopes, cnf, user=user)

    def _issue_for_user(
        self,
        client: Client,
        form: Form,
        cnf: Confirmation,
        grant: str,
        subject: Mapping[str, Any],
        actor: Mapping[str, Any] | None,
    ) -> Answer:
        user = self._check_user(subject)
        scopes = form.get("scope", "").split()
        if OPENID_SCOPES.intersection(scopes):
            raise Refused("openid_not_allowed_token_exchange")
        check_scopes(self._server, client, grant, scopes, unlisted="no_default_scopes")
        if not user.consented:
            raise Refused("consent_required", values=", ".join(scopes))
        act = None if actor is None else {"sub": actor["sub"]}
        return self._issue(client, scopes, cnf, user=user, auth_time=subject.get("auth_time"), act=act)

    def _read_subject(self, token: str, prefix: str) -> dict[str, Any]:
        try:
            claims = read_token(self._tenant, token)
        except jwt.PyJWTError:
            raise Refused("invalid_subject_token") from None
        if not str(claims.get("jti", "")).startswith(prefix):
            raise Refused("invalid_subject_token")
        if claims.get("exp", 0) <= self._tenant.now() or claims.get("jti") in self._tenant.revoked:
            raise Refused("token_exchange_subject_token_expired")
        issuer = self._tenant.server_of(claims.get("iss"))
        if issuer is not self._server and (issuer is None or issuer.name not in self._server.trusted):
            raise Refused("associated_server_not_trusted")
        return claims

    def _read_actor(self, form: Form) -> dict[str, Any] | None:
        """RFC 8693 §2.1: token and type come together or not at all."""
        if ("actor_token" in form) != ("actor_token_type" in form):
            raise Refused("invalid_actor_token")
        if "actor_token" not in form:
            return None
        try:
            claims = read_token(self._tenant, form["actor_token"])
        except jwt.PyJWTError:
            raise Refused("invalid_actor_token") from None
        if claims.get("exp", 0) <= self._tenant.now():
            raise Refused("invalid_actor_token")
        return claims

    def _check_target(self, form: Form) -> None:
        """The audience must be the server's own; a resource (RFC 8707) may stand in for it."""
        audience, resource = form.get("audience"), form.get("resource")
        if resource is not None and resource not in {self._server.audience, *self._server.resources}:
            raise Refused("token_exchange_invalid_resource")
        if audience != self._server.audience and not (audience is None and resource is not None):
            raise Refused("token_exchange_invalid_audience")

    def _check_user(self, subject: Mapping[str, Any]) -> User:
        user = user_of(self._tenant, subject)
        if user is None:
            raise Refused("invalid_subject_token")
        if user.login in self._tenant.faults.limited_users:
            raise Refused("user_rate_limited")
        if not user.active:
            raise Refused("invalid_subject_token_user_inactive")
        if not user.signed_in:
            raise Refused("token_exchange_subject_token_expired")
        if not user.assigned:
            raise Refused("invalid_subject_token_user_not_assigned")
        if user.step_up is not None:
            raise Refused("insufficient_user_authentication", members=user.step_up)
        return user

    def _issue(
        self,
        client: Client,
        scopes: list[str],
        cnf: Confirmation,
        *,
        user: User | None = None,
        auth_time: int | None = None,
        act: Mapping[str, Any] | None = None,
    ) -> Answer:
        extra = {"cnf": cnf or None, "act": act, **self._tenant.faults.claims}
        claims = build_claims(
            self._tenant,
            self._server,
            client_id=client.id,
            scopes=scopes,
            user=user,
            auth_time=auth_time,
            extra=extra,
        )
        answer = {
            "token_type": "DPoP" if "jkt" in cnf else "Bearer",
            "expires_in": self._server.lifetime,
            "access_token": sign(self._server, claims),
            "scope": " ".join(scopes),
        }
        return override(answer, {})


def _require(form: Form, name: str) -> str:
    if not form.get(name):
        raise Refused("missing_token_request_parameter", name=name)
    return form[name]
