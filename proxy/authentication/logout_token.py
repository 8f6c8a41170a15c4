"""OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6: an issuer's word that a user's session is over.

Not checked here: where keys come from, and whether the token was seen before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import SubjectTokenInvalid
from ..jose.jwk import SigningKey
from ..jose.jws import UnverifiedJws, parse_jws, peek_claims, verify_payload, verify_signature
from .claims import is_number, is_subject, is_text, read_texts

EVENT = "http://schemas.openid.net/event/backchannel-logout"
# Explicit typing is but recommended (§2.4).
TYPES = frozenset({"logout+jwt", "application/logout+jwt", "jwt"})
# s from iat: §2.4 asks for two minutes; what is older was kept by somebody to be played again.
MAX_AGE = 600.0
MAX_TOKEN_ID = 256  # characters of jti, for we remember them


@dataclass(frozen=True, slots=True)
class LogoutPolicy:
    """What one issuer's logout tokens must satisfy; ``clock_tolerance`` is seconds.

    ``audiences`` are the client ids that the issuer may tell of logouts.
    """

    issuer: str
    audiences: frozenset[str]
    algorithms: frozenset[str]
    clock_tolerance: float


@dataclass(frozen=True, slots=True)
class UnverifiedLogout:
    """A well-formed JWT: good for choosing the key by ``issuer``, and for nothing else."""

    jws: UnverifiedJws
    claims: Mapping[str, Any] = field(repr=False)
    issuer: str


@dataclass(frozen=True, slots=True)
class Logout:
    """A verified logout; ``token_id`` (``jti``) occurs once with this issuer, ``issued_at`` is epoch seconds."""

    issuer: str
    subject: str = field(repr=False)
    token_id: str = field(repr=False)
    issued_at: float


def parse_logout_token(value: str) -> UnverifiedLogout:
    """SubjectTokenInvalid for what is not a well-formed JWT of a type that a logout token may have."""
    jws = parse_jws(value)
    claims = peek_claims(jws)
    typ = jws.header.get("typ", "jwt")
    if not isinstance(typ, str) or typ.lower() not in TYPES:
        raise SubjectTokenInvalid("the token's typ is not that of a logout token")
    if not is_text(claims.get("iss")):
        raise SubjectTokenInvalid("the token has no iss")
    return UnverifiedLogout(jws, claims, claims["iss"])


def verify_logout_token(token: UnverifiedLogout, key: SigningKey, policy: LogoutPolicy, now: float) -> Logout:
    """The verified logout; ``now`` is epoch seconds. SubjectTokenInvalid, as everything in this file."""
    verify_signature(token.jws, key, policy.algorithms)
    verify_payload(token.jws)
    claims = token.claims
    if token.issuer != policy.issuer:
        raise SubjectTokenInvalid("the token's iss is another issuer")
    if policy.audiences.isdisjoint(_read_audience(claims)):
        raise SubjectTokenInvalid("the token's aud does not hold a client that we know")
    _require_times(claims, policy.clock_tolerance, now)
    _require_event(claims)
    return Logout(token.issuer, _read_subject(claims), _read_token_id(claims), claims["iat"])


def _read_audience(claims: Mapping[str, Any]) -> list[str]:
    audience = claims.get("aud")
    if is_text(audience) or (isinstance(audience, list) and all(map(is_text, audience))):
        return read_texts(claims["aud"])
    raise SubjectTokenInvalid("the token's aud is not of the right form")


def _require_times(claims: Mapping[str, Any], tolerance: float, now: float) -> None:
    for name in ("iat", "exp"):
        if not is_number(claims.get(name)):
            raise SubjectTokenInvalid(f"the token's {name} is missing or not a time")
    if claims["iat"] > now + tolerance:
        raise SubjectTokenInvalid("the token's iat lies in the future")
    if now >= min(claims["exp"], claims["iat"] + MAX_AGE) + tolerance:
        raise SubjectTokenInvalid("the token has expired")


def _require_event(claims: Mapping[str, Any]) -> None:
    """The two that tell a logout token from every other JWT of the same keys."""
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise SubjectTokenInvalid("the token's events do not tell of a logout")
    if "nonce" in claims:
        raise SubjectTokenInvalid("the token has a nonce, so it is an ID token")


def _read_subject(claims: Mapping[str, Any]) -> str:
    if "sub" not in claims:
        raise SubjectTokenInvalid("the token names no sub; tokens are kept by user, not by session (sid)")
    if not is_subject(claims["sub"]):
        raise SubjectTokenInvalid("the token's sub is not of the right form")
    subject: str = claims["sub"]
    return subject


def _read_token_id(claims: Mapping[str, Any]) -> str:
    token_id = claims.get("jti")
    if not (isinstance(token_id, str) and 0 < len(token_id) <= MAX_TOKEN_ID):
        raise SubjectTokenInvalid(f"the token's jti is not a text of 1 to {MAX_TOKEN_ID} characters")
    return token_id
