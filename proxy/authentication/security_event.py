"""Security event tokens (RFC 8417) of the Shared Signals Framework, with CAEP's and RISC's events.

Which of them end a user's access, whom they mean, and when it happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..jose.jwk import SigningKey
from .claims import is_number
from .event_types import ENDING, OTHER, STREAM
from .signal_token import SignalRefused, UnverifiedSignal, parse_signal_token, verify_signal_token
from .subject_identifier import Subject, parse_subjects

TYPE: Final = "secevent+jwt"  # RFC 8417 §2.3
MAX_EVENTS: Final = 16  # in one token; RFC 8417 §2 knows one, told in several ways
MAX_AGE: Final = 86_400.0  # s from iat: no subject token of before it is left by then
_MILLISECONDS: Final = 1e11  # from here on a time is no number of seconds: Okta tells milliseconds


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """What has happened: ``kind`` to ``subjects``, who are one user, at ``happened_at`` (epoch s, by the org's clock).

    There are no subjects where nobody's access ends.
    """

    kind: str
    subjects: tuple[Subject, ...]
    happened_at: float


def parse_security_event(value: str, *, issuer: str, audience: str, now: float) -> UnverifiedSignal:
    """A token that says it is an event of ``issuer`` for ``audience``. Raises SignalRefused."""
    token = parse_signal_token(value, typ=TYPE, issuer=issuer, audience=audience, now=now, must_end=False)
    if "iat" not in token.claims:
        raise SignalRefused("invalid_request", "the token has no iat")
    if now > token.claims["iat"] + MAX_AGE:
        raise SignalRefused("invalid_request", "the token is older than a day: nothing is left for it to end")
    return token


def verify_security_event(token: UnverifiedSignal, key: SigningKey) -> tuple[SecurityEvent, ...]:
    """What the token tells, once ``key`` is seen to have signed it. Raises SignalRefused."""
    verify_signal_token(token, key)
    events = token.claims.get("events")
    if not isinstance(events, dict) or not 0 < len(events) <= MAX_EVENTS:
        raise SignalRefused("invalid_request", f"the token does not have 1 to {MAX_EVENTS} events")
    return tuple(_read_event(name, payload, token.claims) for name, payload in events.items())


def _read_event(name: str, payload: object, claims: Mapping[str, Any]) -> SecurityEvent:
    if not isinstance(payload, dict):
        raise SignalRefused("invalid_request", "an event is not an object")
    kind = ENDING.get(name)
    if kind is None:
        return SecurityEvent(STREAM.get(name, OTHER), (), claims["iat"])
    try:
        subjects = parse_subjects(claims["sub_id"] if "sub_id" in claims else payload.get("subject"))
    except ValueError as error:
        raise SignalRefused("invalid_request", str(error)) from None
    return SecurityEvent(kind, subjects, _read_time(payload, claims))


def _read_time(payload: Mapping[str, Any], claims: Mapping[str, Any]) -> float:
    """CAEP's ``event_timestamp``, else ``toe`` (RFC 8417 §2.2), else when it was told; never later than that."""
    told_at = float(claims["iat"])
    said: Any
    for said in (payload.get("event_timestamp"), claims.get("toe")):
        if is_number(said):
            return min(float(said / 1000 if said >= _MILLISECONDS else said), told_at)
    return told_at
