"""Global Token Revocation (draft-parecki-oauth-global-token-revocation), which Okta calls Universal Logout.

Who asks is told by a JWT in ``Authorization``, who is meant by a subject identifier in the body.
"""

from __future__ import annotations

from typing import Final

from ..jose.encoding import parse_json_object
from .signal_token import SignalRefused, UnverifiedSignal, parse_signal_token
from .subject_identifier import Subject, parse_subjects

TYPE: Final = "global-token-revocation+jwt"
MAX_LIFETIME: Final = 3600.0  # s to exp: Okta gives five minutes; we remember a jti for as long


def parse_credential(value: str, *, issuer: str, audience: str, now: float) -> UnverifiedSignal:
    """A token by which ``issuer`` says that it asks at ``audience``, the URL that was called. Raises SignalRefused."""
    token = parse_signal_token(value, typ=TYPE, issuer=issuer, audience=audience, now=now, must_end=True)
    if token.claims["exp"] > now + MAX_LIFETIME:
        raise SignalRefused("invalid_request", "the token's exp is more than an hour away")
    return token


def parse_revocation(body: bytes) -> tuple[Subject, ...]:
    """Whose tokens are to end: ``sub_id``, or ``subject`` as Okta's guide has it. Raises SignalRefused."""
    try:
        document = parse_json_object(body)
        named = [document[name] for name in ("sub_id", "subject") if name in document]
        if len(named) != 1:
            raise ValueError("the body has not exactly one of sub_id and subject")
        return parse_subjects(named[0])
    except ValueError as error:
        raise SignalRefused("invalid_request", str(error)) from None
