"""JWTs that somebody else has signed to vouch for us as a client (RFC 7521 §4.2, RFC 7523 §3, SPIFFE JWT-SVID §3).

Whether one is good is the authorization server's to say. Here it is only read, to know whose it is and its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .encoding import decode_base64url, parse_json_object

MAX_SIZE = 16 * 1024  # characters; service account tokens and JWT-SVIDs have one or two thousand


@dataclass(frozen=True, slots=True)
class Assertion:
    """``issuer`` may be empty, as a JWT-SVID's may; ``begins_at`` and ``expires_at`` are epoch seconds."""

    value: str = field(repr=False)
    issuer: str
    subject: str
    begins_at: float | None
    expires_at: float


def parse_assertion(content: bytes) -> Assertion:
    """The one JWT that a file holds. Raises ValueError, which never quotes the content."""
    claims = _parse_claims(content)
    subject, expires_at = claims.get("sub"), _find_time(claims, "exp")
    if not isinstance(subject, str) or not subject:
        raise ValueError("holds a JWT without sub, so it vouches for nobody")
    if expires_at is None:
        raise ValueError("holds a JWT without exp")
    issuer = claims.get("iss")
    return Assertion(
        value=content.decode("ascii"),
        issuer=issuer if isinstance(issuer, str) else "",
        subject=subject,
        begins_at=_find_time(claims, "iat"),
        expires_at=expires_at,
    )


def _parse_claims(content: bytes) -> Mapping[str, Any]:
    if len(content) > MAX_SIZE:
        raise ValueError(f"is longer than {MAX_SIZE} characters, so it is no JWT of ours")
    try:
        header, payload, _signature = (decode_base64url(part) for part in content.decode("ascii").split("."))
        if "alg" not in parse_json_object(header):
            raise ValueError("no alg")
        return parse_json_object(payload)
    except ValueError:  # of another cause each time, and none may be quoted
        raise ValueError("holds no signed JWT") from None


def _find_time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
