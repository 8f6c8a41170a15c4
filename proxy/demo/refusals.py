"""How Okta refuses: status, ``error`` and ``error_description`` (RFC 6749 §5.2), by Okta's internal name.

The status does not follow from the error: a denied policy is a 401 or a 400, a limit is an ``invalid_grant``.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Refusal(NamedTuple):
    """One row; ``description`` may have places for values."""

    status: int
    error: str
    description: str


REFUSALS = {
    # The client, as it proves itself
    "missing_client_credentials": Refusal(401, "invalid_client", "No client credentials found."),
    "multiple_client_credentials": Refusal(
        401,
        "invalid_request",
        "Cannot supply multiple client credentials. Use one of the following: credentials in the Authorization "
        "header, credentials in the post body, or a client_assertion in the post body.",
    ),
    "invalid_client_id": Refusal(401, "invalid_client", "Invalid value for 'client_id' parameter."),
    "invalid_client_secret": Refusal(
        401, "invalid_client", "The client secret supplied for a confidential client is invalid."
    ),
    "invalid_client_certificate": Refusal(
        401, "invalid_client", "The client certificate is not the one registered for the client."
    ),
    "client_assertion_type_invalid": Refusal(400, "invalid_request", "The client_assertion_type is invalid."),
    "client_assertion_invalid_jwt": Refusal(
        401, "invalid_client", "The parsing of the client_assertion failed."
    ),
    "client_assertion_invalid_issuer": Refusal(
        401, "invalid_client", "The issuer claim for client_assertion is not a valid client_id."
    ),
    "client_assertion_invalid_subject": Refusal(
        401, "invalid_client", "The subject claim for client_assertion is not a valid client_id."
    ),
    "client_assertion_invalid_audience": Refusal(
        401,
        "invalid_client",
        "The audience claim for client_assertion must be the endpoint invoked for the request.",
    ),
    "client_assertion_expiration_required": Refusal(
        401, "invalid_client", "The client_assertion must contain the 'exp' claim as seconds since epoch."
    ),
    "client_assertion_expired_token": Refusal(
        401, "invalid_client", "The client_assertion token is expired."
    ),
    "client_assertion_expires_too_far_in_future": Refusal(
        401, "invalid_client", "The client_assertion token has an expiration too far into the future."
    ),
    "client_assertion_issued_at_in_future": Refusal(
        401, "invalid_client", "The client_assertion token must be issued before the current time."
    ),
    "client_assertion_already_used": Refusal(
        401, "invalid_client", "The client_assertion token has already been used."
    ),
    "client_assertion_invalid_signature": Refusal(
        401, "invalid_client", "The client_assertion signature is invalid."
    ),
    "client_assertion_invalid_signature_algorithm": Refusal(
        401, "invalid_client", "The client_assertion JWT signature algorithm is invalid."
    ),
    "client_assertion_invalid_kid": Refusal(
        401, "invalid_client", "The client_assertion JWT kid is invalid."
    ),
    "client_assertion_jwks_not_configured": Refusal(
        401,
        "invalid_client",
        "The client does not have a JWKSet configured, but the client_assertion requires one.",
    ),
    "unsupported_auth_method_client_creds": Refusal(
        401,
        "invalid_client",
        "Client Credentials requests to the Org Authorization Server must use the private_key_jwt "
        "token_endpoint_auth_method.",
    ),
    # The request
    "token_request_missing_grant_type": Refusal(
        400, "invalid_request", "The token request must specify a 'grant_type'. Valid values: [{values}]"
    ),
    "missing_token_request_parameter": Refusal(
        400, "invalid_request", "The required parameter '{name}' is missing."
    ),
    "request_missing_token": Refusal(400, "invalid_request", "The 'token' parameter is required."),
    "duplicate_oauth_params": Refusal(
        400, "invalid_request", "The request contained multiple parameters with the same name."
    ),
    "unsupported_grant_type": Refusal(
        400,
        "unsupported_grant_type",
        "The authorization grant type is not supported by the authorization server. "
        "Configured grant types: [{values}].",
    ),
    "unauthorized_client": Refusal(
        400,
        "unauthorized_client",
        "The client is not authorized to use the provided grant type. Configured grant types: [{values}].",
    ),
    "token_exchange_sku_not_enabled": Refusal(
        400,
        "invalid_grant",
        "The API Access Management SKU is not enabled. Contact your Account Executive to enable the SKU to use "
        "the requested grant type or token exchange flow.",
    ),
    "on_behalf_invalid_client_type": Refusal(
        400, "invalid_request", "Only service clients may use on-behalf token exchange."
    ),
    # Authorization Code with PKCE
    "invalid_authorization_code": Refusal(
        400, "invalid_grant", "The authorization code is invalid or has expired."
    ),
    "pkce_missing_challenge": Refusal(
        400, "invalid_request", "PKCE code challenge is required by the application."
    ),
    "pkce_missing_verifier": Refusal(
        400, "invalid_request", "PKCE code verifier is required by the application."
    ),
    "pkce_verification_failed": Refusal(400, "invalid_grant", "PKCE verification failed."),
    "pkce_unsupported_code_challenge_method": Refusal(
        400, "invalid_request", "PKCE code challenge method is not supported. Valid values: [S256]"
    ),
    "mismatched_redirect_uri": Refusal(
        400,
        "invalid_grant",
        "The 'redirect_uri' does not match the redirection URI used in the authorization request.",
    ),
    "illegal_redirect_uri": Refusal(
        400,
        "invalid_request",
        "The 'redirect_uri' parameter must be a Login redirect URI in the client app settings.",
    ),
    "unsupported_response_type": Refusal(
        400,
        "unsupported_response_type",
        "The response type is not supported by the authorization server. Configured response types: [code].",
    ),
    # The subject token, and the user behind it
    "invalid_subject_token": Refusal(400, "invalid_request", "'subject_token' is invalid."),
    "invalid_subject_token_type": Refusal(
        400, "invalid_request", "'subject_token_type' is invalid or not supported."
    ),
    "invalid_requested_token_type": Refusal(
        400, "invalid_request", "'requested_token_type' is invalid or not supported."
    ),
    "token_exchange_subject_token_expired": Refusal(
        400,
        "invalid_grant",
        "The 'subject_token' either expired or the session associated with it was terminated.",
    ),
    "invalid_subject_token_user_inactive": Refusal(
        400, "invalid_request", "'subject_token' is invalid: the user account is not active."
    ),
    "invalid_subject_token_user_not_assigned": Refusal(
        400,
        "invalid_request",
        "'subject_token' is invalid: the user is not assigned to the client application.",
    ),
    "invalid_actor_token": Refusal(400, "invalid_request", "'actor_token' is invalid."),
    "associated_server_not_trusted": Refusal(
        403, "access_denied", "The 'subject_token' issuer isn't a trusted authorization server."
    ),
    "user_not_assigned": Refusal(400, "access_denied", "User is not assigned to the client application."),
    "insufficient_user_authentication": Refusal(
        401,
        "insufficient_user_authentication",
        "The user authentication context is insufficient to perform the action.",
    ),
    "consent_required": Refusal(
        400, "consent_required", "The following scopes require user consent: [{values}]."
    ),
    "user_rate_limited": Refusal(
        429, "invalid_grant", "API call exceeded rate limit due to too many requests."
    ),
    # Cross App Access
    "invalid_subject_token_audience": Refusal(
        400, "invalid_grant", "The 'subject_token' audience is invalid."
    ),
    "id_jag_invalid_audience": Refusal(
        400, "invalid_target", "The requested audience or resource is not connected to the client."
    ),
    "id_jag_system_scope": Refusal(400, "invalid_scope", "System scopes can't be requested for an ID-JAG."),
    "id_jag_scope_not_permitted": Refusal(
        400, "unauthorized_client", "The requested scope is not permitted by the resource connection."
    ),
    "id_jag_invalid": Refusal(400, "invalid_grant", "The assertion is invalid."),
    "id_jag_scope_not_allowed": Refusal(
        400, "invalid_request", "'scope' can't be requested together with an ID-JAG."
    ),
    "id_jag_scope_exceeded": Refusal(400, "invalid_scope", "The requested scope exceeds the assertion's."),
    "interaction_required": Refusal(
        400,
        "interaction_required",
        "The user must authenticate with the authorization server for the request to proceed.",
    ),
    # What is asked for
    "token_exchange_invalid_audience": Refusal(
        400,
        "invalid_target",
        "Token Exchange requests must include a valid audience of the authorization server.",
    ),
    "token_exchange_invalid_resource": Refusal(
        400, "invalid_target", "'resource' is invalid or not supported."
    ),
    "openid_not_allowed_token_exchange": Refusal(
        400,
        "invalid_scope",
        "Can't request 'openid' scopes using the Token Exchange flow for a service app.",
    ),
    "openid_not_allowed_client_creds": Refusal(
        400, "invalid_scope", "Cannot request 'openid' scopes using client credentials."
    ),
    "no_default_scopes": Refusal(
        400,
        "invalid_scope",
        "The authorization server resource does not have any configured default scopes, "
        "'scope' must be provided.",
    ),
    "no_matching_scope": Refusal(
        400,
        "invalid_scope",
        "One or more scopes are not configured for the authorization server resource.",
    ),
    "no_matching_policy": Refusal(
        401,
        "access_denied",
        "Policy evaluation failed for this request, please check the policy configurations.",
    ),
    "no_scope_allowed": Refusal(
        400, "access_denied", "Policy evaluation succeeded, but all the requested scopes were rejected."
    ),
    "scope_denied": Refusal(
        400,
        "access_denied",
        "Some of the requested scopes were denied by the policy. Denied scopes: [{values}].",
    ),
    # DPoP
    "invalid_dpop_proof_missing_header": Refusal(
        400, "invalid_dpop_proof", "The DPoP proof JWT header is missing."
    ),
    "invalid_dpop_proof_multiple_headers_not_allowed": Refusal(
        400, "invalid_dpop_proof", "Multiple DPoP proof JWT headers are not allowed."
    ),
    "invalid_dpop_proof_invalid_type": Refusal(
        400, "invalid_dpop_proof", "'typ' must be 'dpop+jwt' in the DPoP proof JWT."
    ),
    "invalid_dpop_proof_invalid_jwt": Refusal(
        400, "invalid_dpop_proof", "The DPoP proof JWT cannot be parsed."
    ),
    "invalid_dpop_proof_invalid_signature": Refusal(
        400, "invalid_dpop_proof", "The DPoP proof JWT signature is invalid."
    ),
    "invalid_dpop_proof_invalid_htm": Refusal(
        400, "invalid_dpop_proof", "'htm' claim in the DPoP proof JWT is invalid."
    ),
    "invalid_dpop_proof_invalid_htu": Refusal(
        400, "invalid_dpop_proof", "'htu' claim in the DPoP proof JWT is invalid."
    ),
    "invalid_dpop_proof_invalid_iat": Refusal(
        400, "invalid_dpop_proof", "'iat' claim in the DPoP proof JWT is invalid."
    ),
    "invalid_dpop_proof_invalid_jti": Refusal(
        400, "invalid_dpop_proof", "'jti' claim in the DPoP proof JWT is invalid."
    ),
    "invalid_dpop_proof_jwt_issued_in_future": Refusal(
        400, "invalid_dpop_proof", "The DPoP proof JWT is issued in the future."
    ),
    "invalid_dpop_proof_jwt_too_old": Refusal(
        400, "invalid_dpop_proof", "The DPoP proof JWT is issued more than five minutes in the past."
    ),
    "dpop_proof_already_used": Refusal(
        400, "invalid_dpop_proof", "The DPoP proof JWT has already been used."
    ),
    "dpop_proof_invalid_ath": Refusal(
        400,
        "invalid_dpop_proof",
        "'ath' claim in the DPoP proof does not match the presented access_token.",
    ),
    "invalid_access_token_dpop_binding": Refusal(
        400, "invalid_dpop_proof", "The access_token is not bound to the provided DPoP proof."
    ),
    "use_dpop_nonce": Refusal(400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof."),
}


class Refused(Exception):
    """A request that is refused: a row of ``REFUSALS`` by name, with what fills its places."""

    def __init__(self, name: str, /, *, members: dict[str, Any] | None = None, **places: object) -> None:
        super().__init__(name)
        self.name = name
        self.status, self.error, description = REFUSALS[name]
        self.description = description.format(**places)
        self.members = members or {}

    def body(self) -> dict[str, Any]:
        """The answer's JSON object."""
        return {"error": self.error, "error_description": self.description, **self.members}
