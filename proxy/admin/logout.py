"""``POST /api/backchannel-logout``: an issuer says that a user's session is over, and the user's tokens go.

OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8. The issuer's signature is the caller's only credential.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cachetools import TTLCache
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..authentication.logout_token import (
    MAX_AGE,
    Logout,
    LogoutPolicy,
    parse_logout_token,
    verify_logout_token,
)
from ..authentication.verifier import find_key
from ..cache.key import build_owner
from ..cache.replicas import RevocationOwed
from ..cache.revocation import Revocation
from ..errors import ProxyError, SubjectTokenInvalid
from .bodies import read_form
from .refusal import Refused

if TYPE_CHECKING:
    from ..app import App
    from ..config import models

MOST_REMEMBERED = 10_000  # logouts; only what an accepted issuer has signed is remembered
REMEMBERED_FOR = 3 * MAX_AGE  # s: no token is accepted longer, with the largest tolerance at both ends

log = logging.getLogger(__name__)


def build_routes(app: App) -> list[Route]:
    seen: TTLCache[tuple[str, str], None] = TTLCache(
        MOST_REMEMBERED, REMEMBERED_FOR, timer=app.clock.monotonic
    )

    async def log_out(request: Request) -> Response:
        try:
            form = await read_form(request, "logout_token")
            logout = await _verify(app, form["logout_token"])
            _require_new(logout, seen)
        except (Refused, ProxyError) as refusal:
            log.info("logout refused", extra={"reason": str(refusal)})
            return _answer_failure(str(refusal))
        try:
            purged = await app.parts.revoker.revoke(_build_revocations(logout, app.clock.time()))
        except RevocationOwed as owed:
            seen.pop((logout.issuer, logout.token_id), None)  # the issuer may say it again
            log.warning("logout owed", extra={"issuer": logout.issuer, "reason": owed.reason})
            return _answer_failure("not every replica has been told yet")
        log.info("logged out", extra={"issuer": logout.issuer, "purged": purged})
        return Response()

    return [Route("/api/backchannel-logout", log_out, methods=["POST"])]


def _answer_failure(description: str) -> Response:
    """§2.8: for a request that is invalid, and for a logout that has failed."""
    return JSONResponse({"error": "invalid_request", "error_description": description}, 400)


async def _verify(app: App, value: str) -> Logout:
    token = parse_logout_token(value)
    entries = [
        entry for entry in app.settings.subject_tokens if _issuer_of(app.settings, entry) == token.issuer
    ]
    if not entries:
        raise SubjectTokenInvalid("the token's issuer is not accepted")
    policy = _build_policy(token.issuer, entries, app.settings)
    keys = app.parts.issuers[entries[0].authorization_server].keys
    key = await find_key(token.jws, policy.algorithms, keys)
    return verify_logout_token(token, key, policy, app.clock.time())


def _issuer_of(settings: models.Settings, entry: models.SubjectTokens) -> str:
    return settings.authorization_servers[entry.authorization_server].issuer


def _build_policy(
    issuer: str, entries: list[models.SubjectTokens], settings: models.Settings
) -> LogoutPolicy:
    """It is meant for us, or for a client whose users' tokens we take: that one's logout is registered here."""
    servers = settings.authorization_servers.values()
    own = {
        server.client.id
        for server in servers
        if server.issuer == issuer and server.client and server.client.id
    }
    return LogoutPolicy(
        issuer=issuer,
        audiences=frozenset(own.union(*(entry.client_ids for entry in entries))),
        algorithms=frozenset().union(*(entry.algorithms for entry in entries)),
        clock_tolerance=max(entry.clock_tolerance for entry in entries),
    )


def _build_revocations(logout: Logout, now: float) -> list[Revocation]:
    """What was obtained for the user, and what the session's tokens have opened."""
    owner = build_owner(logout.issuer, logout.subject)
    return [Revocation("owner", owner, now), Revocation("user", owner, logout.issued_at)]


def _require_new(logout: Logout, seen: TTLCache[tuple[str, str], None]) -> None:
    key = logout.issuer, logout.token_id
    if key in seen:
        raise SubjectTokenInvalid("the token was used before")
    seen[key] = None
