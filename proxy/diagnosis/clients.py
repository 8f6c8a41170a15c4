"""Our client at an authorization server, without a user: whether it is known, and may do what routes need.

How it is told: an exchange is asked for with a made-up subject token. A token URL authenticates the client
before anything else (RFC 6749 §5.2), so bad credentials are answered by 401 ``invalid_client`` (at Okta by one
of 45 texts), and after them the app's own settings: ``invalid_dpop_proof`` where it demands DPoP,
``unauthorized_client`` where the grant is not ticked, ``invalid_grant`` with "SKU" where the org lacks the
licence. Only then is the token looked at: 400 ``invalid_request`` "'subject_token' is invalid." is the best
answer there is, and nothing is issued. Where a server says otherwise, the table of refusals says whether one
odd token could have caused it (``remember_by``), and then it proves the client just as well.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import replace

from ..authentication.subject_token import SubjectToken
from ..config import models
from ..errors import (
    AuthorizationServerThrottled,
    AuthorizationServerTimeout,
    AuthorizationServerUnavailable,
    ExchangeResponseInvalid,
    ProxyError,
    StepUpRequired,
)
from ..exchange.okta_refusals import CHECK_POLICY, CHECK_TRUST
from ..exchange.route_requests import build_first_request, build_token_request
from ..exchange.token_exchange import TokenRequest
from ..jose.encoding import encode_base64url
from ..parts import Issuer, Parts
from ..runtime import Clock
from .finding import Finding, build_failure, examine
from .network import advise

SUBJECT = "obo-proxy-check"
_LIFETIME = 60  # s
_SIGNATURE_SIZE = 256  # bytes, as of RS256
NOT_THERE = (AuthorizationServerUnavailable, AuthorizationServerTimeout, AuthorizationServerThrottled)
_FORGED = (
    "Exchange nowhere else: this server does not verify subject tokens, so that anybody is whoever they like."
)


async def examine_client(name: str, parts: Parts, routes: Sequence[models.Route], clock: Clock) -> Finding:
    """Whether the server knows our client and lets it do what ``routes`` need. Raises no ProxyError."""
    issuer, settings = parts.issuers[name], parts.settings
    requests = [
        request
        for route in routes
        for request in (build_first_request(route, settings), build_token_request(route, settings))
        if request is not None and request.authorization_server == name
    ]
    exchange = next((request for request in requests if request.grant != "client_credentials"), None)
    entries = [entry for entry in settings.subject_tokens if entry.authorization_server == name]

    async def ask() -> Finding:
        if exchange is not None:
            return await _try_exchange(name, issuer, exchange, _make_up_token(settings, clock))
        if any(entry.introspect for entry in entries):
            await issuer.server.introspect(SUBJECT)
            return Finding(
                "credentials",
                name,
                "pass",
                "the credentials are accepted, and introspection is allowed",
            )
        why = "tried with the routes that need it" if requests else "not needed: nothing is asked as a client"
        return Finding("credentials", name, "skip", why)

    return await examine(clock, "credentials", name, ask)


async def examine_scopes(request: TokenRequest, issuer: Issuer, clock: Clock, *, about: str) -> Finding:
    """Whether the server knows the scopes of an exchange, by a token of the client's own that is dropped at once.

    What the access policy says of Client Credentials it need not say of an exchange: that warns at most.
    """
    own = TokenRequest(request.authorization_server, "client_credentials", scopes=request.scopes)

    async def ask() -> Finding:
        try:
            await issuer.server.ask(own, None)
        except ProxyError as error:
            return _judge_scopes(error, about)
        return Finding("route_scopes", about, "pass", f"the server knows {' '.join(own.scopes)}")

    return await examine(clock, "route_scopes", about, ask)


async def _try_exchange(
    name: str, issuer: Issuer, request: TokenRequest, subject_token: SubjectToken
) -> Finding:
    try:
        await issuer.server.ask(replace(request, actor=False, actor_type=None), subject_token)
    except ProxyError as error:
        return _judge(error, name)
    return Finding("credentials", name, "fail", "the server issued a token for a made-up user", _FORGED)


def _judge(error: ProxyError, name: str) -> Finding:
    if isinstance(error, NOT_THERE):
        return build_failure("credentials", name, error, remedy=advise(error))
    if error.remember_by == "subject_token" or isinstance(error, StepUpRequired):
        answered = f"{error.oauth_error} for a made-up user, as it must be"
        return Finding("credentials", name, "pass", f"credentials and grant are accepted ({answered})")
    failure = build_failure("credentials", name, error)
    if error.remedy == CHECK_TRUST or isinstance(error, ExchangeResponseInvalid):
        return replace(failure, verdict="warn")  # a made-up user may well be told so
    return failure


def _judge_scopes(error: ProxyError, about: str) -> Finding:
    if error.oauth_error == "invalid_scope":
        return build_failure("route_scopes", about, error)
    if error.oauth_error == "access_denied":
        told = f"refused to the client itself; only a user's token (--token-file) can tell for users: {error}"
        return Finding("route_scopes", about, "warn", told, CHECK_POLICY, error.code)
    return Finding("route_scopes", about, "skip", f"only a user's token can tell: --token-file ({error})")


def _make_up_token(settings: models.Settings, clock: Clock) -> SubjectToken:
    """A token of the right form that nobody signed, of the issuer whose users are to come."""
    entry = next(iter(settings.subject_tokens), None)
    issuer = settings.authorization_servers[entry.authorization_server].issuer if entry else SUBJECT
    now = int(clock.time())
    claims = {
        "iss": issuer,
        "aud": entry.expected_audience if entry else SUBJECT,
        "sub": SUBJECT,
        "iat": now,
        "exp": now + _LIFETIME,
        "jti": secrets.token_urlsafe(16),
    }
    parts = [
        encode_base64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": SUBJECT}, claims)
    ]
    value = ".".join([*parts, encode_base64url(bytes(_SIGNATURE_SIZE))])
    return SubjectToken(value, "", issuer, SUBJECT, claims, b"", now + _LIFETIME)
