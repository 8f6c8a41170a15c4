"""The refusals of token URLs as data, most telling row first; the texts are Okta's own, in lower case.

``route`` memory, kept for each issuer's users apart, is only for what no single user's token can bring about:
one odd token must not close a route for all the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..errors import (
    AuthorizationServerThrottled,
    ExchangeDenied,
    ExchangeMisconfigured,
    InteractionRequired,
    ProxyError,
    StepUpRequired,
    SubjectTokenRefused,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """``error``, with ``says`` in its description, is answered by ``answer``; remembered for seconds."""

    error: str
    says: str
    answer: type[ProxyError]
    remedy: str = ""
    remember_for: float = 0.0
    remember_by: Literal["subject_token", "route"] | None = None


_CLIENT = "Okta Admin Console: Applications > Applications > (our app) > General"
_SERVER = "Okta Admin Console: Security > API > Authorization Servers > (the server)"

CHECK_CLIENT = (
    f"{_CLIENT} > Client Credentials: compare client id, client authentication method, secret or public key "
    "(its kid too) with authorization_servers.*.client."
)
CHECK_URL = "Compare token_url, or the issuer whose metadata names it, with the authorization server's own."
CHECK_GRANT = f"{_CLIENT} > General Settings > Grant type: tick Token Exchange (or the route's grant)."
CHECK_SERVICE = "Okta lets only service apps exchange on behalf: the client must be an API Services app."
CHECK_TRUST = f"{_SERVER} > Settings > Trusted servers: Add Server, the one that issues the subject tokens."
CHECK_AUDIENCE = f"{_SERVER} > Settings > Audience: the route's audience must be this one."
CHECK_SCOPES = (
    f"{_SERVER} > Scopes: the route's scopes must be there; OpenID Connect's own cannot be asked for."
)
CHECK_POLICY = (
    f"{_SERVER} > Access Policies: a rule must give these users, by this client and grant, the scopes."
)
CHECK_USER = (
    "Okta Admin Console: Directory > People > (the user): active, with a session, assigned to the app."
)
CHECK_DPOP = f"{_CLIENT} > General Settings > Proof of possession must agree with dpop; so must both clocks."
CHECK_DPOP_ON = f"{_CLIENT} > General Settings > Proof of possession: set dpop: true, or untick it."
CHECK_ZONE = "Okta Admin Console: Security > Networks: the proxy's own address must be in a zone open to it."
CHECK_PARAMETERS = (
    "Compare the route's grant, subject_token_type and extra_parameters with what the server takes."
)
CHECK_CONSENT = f"{_SERVER} > Scopes > (the scope) > User consent: Implicit, for nobody can be asked here."
CHECK_LICENCE = "Ask Okta for the API Access Management licence, which the exchange needs."
CHECK_CONNECTION = (
    "Okta Admin Console: the requesting app (or AI agent) > Manage connections: a connection to the resource app must"
    " be there, and its client id there must be the client.id of the server that redeems."
)
CHECK_FIRST_AUDIENCE = (
    "The route's audience, where it has one, must be the issuer of the server that redeems the first token, letter by"
    " letter, and the identity provider must know that server by it."
)
_AGENT = "Okta Admin Console: Directory > AI Agents > (the agent), or the app's own page"
CHECK_ORG_SERVER = (
    "Okta makes ID-JAGs at the org authorization server (https://{yourOktaDomain}) alone, not at a custom one"
    " (/oauth2/…): compare the identity_provider's issuer."
)
CHECK_RESOURCE = (
    f"{_AGENT} > Resource connections: the route's audience must be the issuer there, and its resource the one named"
    " there, letter by letter."
)
CHECK_CONNECTED_SCOPES = (
    f"{_AGENT} > Resource connections: allow the route's scopes; and the app's grant types: Token Exchange."
)
CHECK_LINKED_APP = (
    "The ID token must have been issued to our own client at the identity provider, or to the app that the agent is"
    " linked with: compare its aud. If it is, the user must log in again."
)
CHECK_JWT_BEARER = (
    f"{_SERVER} > Access Policies: a rule must give these users, by our client there, the scopes with the grant JWT"
    " Bearer."
)
CHECK_REDEEMER = (
    "The redeeming server must trust the identity provider's issuer, know our client by the ID-JAG's client_id, and"
    " have an account for the user."
)
LOG_IN = "The user must log in again; nothing is to be mended here."
# Remedies that say too little, or the wrong thing, where a token takes two calls.
OF_ONE_CALL = frozenset({LOG_IN, "", CHECK_AUDIENCE, CHECK_GRANT, CHECK_SCOPES, CHECK_POLICY})
# What the same refusals mean where a token takes two calls, by leg and error.
OF_LEGS: Mapping[tuple[int, str], str] = {
    (1, "invalid_target"): CHECK_RESOURCE,
    (1, "unauthorized_client"): CHECK_CONNECTED_SCOPES,
    (1, "invalid_scope"): CHECK_CONNECTED_SCOPES,
    (1, "access_denied"): CHECK_CONNECTED_SCOPES,
    (1, "invalid_grant"): CHECK_LINKED_APP,
    (2, "access_denied"): CHECK_JWT_BEARER,
    (2, "unauthorized_client"): CHECK_JWT_BEARER,
    (2, "unsupported_grant_type"): CHECK_JWT_BEARER,
    (2, "invalid_grant"): CHECK_REDEEMER,
}


def _ours(error: str, says: str, remedy: str) -> Refusal:
    return Refusal(error, says, ExchangeMisconfigured, remedy, 10.0, "route")


def _ours_for_token(error: str, says: str, remedy: str) -> Refusal:
    return Refusal(error, says, ExchangeMisconfigured, remedy, 10.0, "subject_token")


def _refused(error: str, says: str, remedy: str = LOG_IN) -> Refusal:
    return Refusal(error, says, SubjectTokenRefused, remedy, 30.0, "subject_token")


def _denied(error: str, says: str, remedy: str = CHECK_POLICY) -> Refusal:
    return Refusal(error, says, ExchangeDenied, remedy, 30.0, "subject_token")


def _step_up(error: str, says: str = "") -> Refusal:
    return Refusal(error, says, StepUpRequired, "The user must authenticate anew, as the challenge says.")


REFUSALS: tuple[Refusal, ...] = (
    # The user's session or account is over.
    _ours("invalid_grant", "sku is not enabled", CHECK_LICENCE),
    _ours("invalid_grant", "'actor_token'", CHECK_PARAMETERS),
    _ours("invalid_grant", "not a trusted authorization server", CHECK_TRUST),
    _ours_for_token("invalid_grant", "audience of the jwt bearer grant", CHECK_AUDIENCE),
    _step_up("invalid_grant", "additional user authentication is required"),
    _step_up("invalid_grant", "aadsts50076"),  # Entra ID: multi-factor authentication is demanded
    _ours("invalid_grant", "aadsts65001", CHECK_CONSENT),  # Entra ID: nobody consented to our app
    _refused("invalid_grant", ""),
    # RFC 8693 names this code for a bad subject token; for Okta it is also the code for a bad request.
    _ours("invalid_request", "only service clients", CHECK_SERVICE),
    _ours("invalid_request", "'subject_token_type'", CHECK_PARAMETERS),
    _ours("invalid_request", "'actor_token", CHECK_PARAMETERS),
    _ours("invalid_request", "requested_token_type", CHECK_ORG_SERVER),
    _ours("invalid_request", "missing", CHECK_PARAMETERS),
    _ours("invalid_request", "dpop", CHECK_DPOP_ON),
    _ours("invalid_request", "authorization server that issued it is not valid", CHECK_TRUST),
    _ours("invalid_request", "token issuer is not allowed", CHECK_TRUST),
    _ours_for_token("invalid_request", "client application is not registered", CHECK_TRUST),
    _ours_for_token("invalid_request", "client application referenced", CHECK_CLIENT),
    _denied("invalid_request", "no delegation policy"),
    _refused("invalid_request", "account is not active", CHECK_USER),
    _refused("invalid_request", "user is not assigned", CHECK_USER),
    _refused("invalid_request", "subject_token"),
    _refused("invalid_request", "subject token"),
    _refused("invalid_request", "invalid token"),  # Keycloak: the user's session is over
    _ours_for_token("invalid_request", "", CHECK_PARAMETERS),
    _ours_for_token("invalid_token", "not permitted to use the jwt bearer grant", CHECK_TRUST),
    _refused("invalid_token", ""),
    # The user must do something first.
    _step_up("insufficient_user_authentication"),
    _step_up("unmet_authentication_requirements"),
    _step_up("interaction_required", "aadsts"),  # Entra ID: multi-factor authentication, a device, a network
    Refusal("interaction_required", "", InteractionRequired),
    _step_up("login_required"),
    _step_up("mfa_required"),
    _denied("consent_required", "", CHECK_CONSENT),
    # The policy's word, or something not set up.
    _ours("access_denied", "isn't a trusted authorization server", CHECK_TRUST),
    _ours("access_denied", "associated server doesn't exist", CHECK_TRUST),
    _ours_for_token("access_denied", "requesting client app retrieved from session", CHECK_TRUST),
    _ours("access_denied", "no trust relationship", CHECK_TRUST),
    _ours("access_denied", "interclient_token'", CHECK_SERVICE),
    _ours("access_denied", "token exchange flow", CHECK_SERVICE),
    _ours("access_denied", "isn't enabled in this environment", CHECK_LICENCE),
    _ours("access_denied", "is not enabled in this environment", CHECK_LICENCE),
    _ours("access_denied", "permitted network zones", CHECK_ZONE),
    _ours("access_denied", "require the 'openid' scope", CHECK_SCOPES),
    _ours("access_denied", "disabled for the client", CHECK_GRANT),
    _ours("access_denied", "public key used to sign the dpop proof", CHECK_DPOP),
    _step_up("access_denied", "re-authenticate"),
    _denied("access_denied", "not assigned", CHECK_USER),
    _denied("access_denied", ""),
    _denied("insufficient_scope", ""),
    # Our client, and what it asks for.
    _ours("invalid_client", "", CHECK_CLIENT),
    _ours("unauthorized_client", "cannot use a custom authorization server", CHECK_SERVICE),
    _ours("unauthorized_client", "", CHECK_GRANT),
    _ours("unsupported_grant_type", "", CHECK_GRANT),
    _ours("unsupported_api_resource", "", CHECK_AUDIENCE),
    _ours("invalid_target", "", CHECK_AUDIENCE),
    _ours_for_token("invalid_scope", "exceeds the scope granted", CHECK_SCOPES),
    _ours("invalid_scope", "", CHECK_SCOPES),
    _ours("client_credentials_self_scope_requested", "", CHECK_SCOPES),
    _ours("invalid_authorization_details", "", CHECK_PARAMETERS),
    _ours("invalid_client_metadata", "", CHECK_CLIENT),
    # Proofs depend on time and nonce: the next may well be good.
    Refusal("invalid_dpop_proof", "header is missing", ExchangeMisconfigured, CHECK_DPOP_ON),
    Refusal("invalid_dpop_proof", "", ExchangeMisconfigured, CHECK_DPOP),
    Refusal("use_dpop_nonce", "", ExchangeMisconfigured, CHECK_DPOP_ON),
    Refusal("slow_down", "", AuthorizationServerThrottled),
)
