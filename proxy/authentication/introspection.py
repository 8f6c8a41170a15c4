"""RFC 7662: the claims of a token that only its authorization server can read.

Not here: the request, which ``introspector`` makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import SubjectTokenExpired, SubjectTokenInvalid
from .binding import CONFIRMATION
from .claims import SubjectTokenPolicy, parse_claims, verify_claims

# By whether it is bound: a server tells the type of its answer to the client (RFC 9449 §6.2).
_TOKEN_TYPES = {False: {"bearer", "access_token"}, True: {"bearer", "access_token", "dpop"}}


def verify_introspection(
    answer: Mapping[str, Any], policy: SubjectTokenPolicy, now: float
) -> Mapping[str, Any]:
    """The claims in ``answer`` (§2.2), checked by the demands that are made of a JWT.

    ``iss`` may be left out, for we asked the issuer itself; so may ``sub`` where there is a ``username``.
    Raises SubjectTokenInvalid, SubjectTokenExpired or ScopeInsufficient.
    """
    claims = {name: value for name, value in answer.items() if name != "active"}
    claims.setdefault("iss", policy.issuer)
    if "sub" not in claims and "username" in claims:
        claims["sub"] = claims["username"]
    if answer.get("active") is not True:  # §2.2: a boolean; anything else is no consent
        _refuse_inactive(claims, now)
    if str(claims.get("token_type", "bearer")).lower() not in _TOKEN_TYPES[CONFIRMATION in claims]:
        raise SubjectTokenInvalid("the token is not a bearer token")
    verify_claims(parse_claims(claims), policy, now)
    return claims


def _refuse_inactive(claims: Mapping[str, Any], now: float) -> None:
    exp = claims.get("exp")
    if isinstance(exp, int) and exp <= now:
        raise SubjectTokenExpired("the token has expired")
    raise SubjectTokenInvalid("the authorization server says that the token is not active")
