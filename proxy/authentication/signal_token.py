"""JWTs by which an org tells of its users: what both kinds have in common (RFC 7519, RFC 8725).

A security event token (``security_event``) is the message itself; a Global Token Revocation request
(``global_revocation``) shows one as its credential. Not checked here: where keys come from, and whether the token was
seen before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import SubjectTokenInvalid
from ..jose.jwk import SigningKey
from ..jose.jws import UnverifiedJws, parse_jws, peek_claims, verify_payload, verify_signature
from .claims import is_number, is_text, read_texts

# Whatever the org's keys are for; none is a shared secret.
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
CLOCK_TOLERANCE: Final = 60.0  # s that the org's clock may be before ours
MAX_TOKEN_ID: Final = 256  # characters of jti, for we remember them


class SignalRefused(Exception):
    """What an org, or somebody in its name, has sent is not believed, or not understood.

    ``err`` is RFC 8935 §2.4's code; ``str`` tells the rest, with nothing of the token in it.
    """

    def __init__(self, err: str, description: str) -> None:
        super().__init__(description)
        self.err = err


@dataclass(frozen=True, slots=True)
class UnverifiedSignal:
    """A well-formed JWT that says it is the org's and for us: good for choosing the key, and for nothing else."""

    jws: UnverifiedJws
    claims: Mapping[str, Any] = field(repr=False)
    token_id: str = field(repr=False)


def parse_signal_token(
    value: str, *, typ: str, issuer: str, audience: str, now: float, must_end: bool
) -> UnverifiedSignal:
    """What can be told without a key, so that whoever makes such tokens up costs us no signature check.

    ``now`` is epoch seconds; with ``must_end`` there must be an ``exp``. Raises SignalRefused.
    """
    try:
        jws = parse_jws(value)
        claims = peek_claims(jws)
    except SubjectTokenInvalid as error:
        raise SignalRefused("invalid_request", str(error)) from None
    _require_type(jws, typ)
    if jws.alg not in ALGORITHMS:
        raise SignalRefused("invalid_key", "the token's alg is not allowed")
    if claims.get("iss") != issuer:
        raise SignalRefused("invalid_issuer", "the token's iss is another issuer")
    _require_audience(claims, audience)
    _require_times(claims, now, must_end=must_end)
    return UnverifiedSignal(jws, claims, _read_token_id(claims))


def verify_signal_token(token: UnverifiedSignal, key: SigningKey) -> None:
    """SignalRefused unless ``key`` made it, and it reads in one way only."""
    try:
        verify_signature(token.jws, key, ALGORITHMS)
    except SubjectTokenInvalid as error:
        raise SignalRefused("authentication_failed", str(error)) from None
    try:
        verify_payload(token.jws)
    except SubjectTokenInvalid as error:
        raise SignalRefused("invalid_request", str(error)) from None


def _require_type(jws: UnverifiedJws, typ: str) -> None:
    """RFC 8725 §3.11: what the org's keys sign for other ends is no event."""
    said = jws.header.get("typ")
    if not isinstance(said, str) or said.lower().removeprefix("application/") != typ:
        raise SignalRefused("invalid_request", f"the token's typ is not {typ}")


def _require_audience(claims: Mapping[str, Any], audience: str) -> None:
    said = claims.get("aud")
    sound = is_text(said) or (isinstance(said, list) and all(map(is_text, said)))
    if not sound or audience not in read_texts(claims["aud"]):
        raise SignalRefused("invalid_audience", "the token's aud does not hold our audience")


def _require_times(claims: Mapping[str, Any], now: float, *, must_end: bool) -> None:
    for name in ("iat", "nbf", "exp"):
        if name in claims and not is_number(claims[name]):
            raise SignalRefused("invalid_request", f"the token's {name} is not a time")
    for name in ("iat", "nbf"):
        if claims.get(name, now) > now + CLOCK_TOLERANCE:
            raise SignalRefused(
                "invalid_request", f"the token's {name} lies in the future: compare the clocks"
            )
    if must_end and "exp" not in claims:
        raise SignalRefused("invalid_request", "the token has no exp")
    if now >= claims.get("exp", now) + CLOCK_TOLERANCE:
        raise SignalRefused("invalid_request", "the token has expired")


def _read_token_id(claims: Mapping[str, Any]) -> str:
    token_id = claims.get("jti")
    if not (isinstance(token_id, str) and 0 < len(token_id) <= MAX_TOKEN_ID):
        raise SignalRefused(
            "invalid_request", f"the token's jti is not a text of 1 to {MAX_TOKEN_ID} characters"
        )
    return token_id
