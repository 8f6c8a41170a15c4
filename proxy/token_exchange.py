"""RFC 8693 and the sibling grants (RFC 6749 §4.4, RFC 7523 §2.1): form, answer, refusal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a route asks a token URL for: everything that shapes the answer but the user."""

    authorization_server: str
    grant: Literal["token_exchange", "client_credentials", "jwt_bearer"]
    audience: str | None = None
    resource: str | None = None
    scopes: tuple[str, ...] = ()
    subject_token_type: str = "access_token"
    requested_token_type: str | None = None
    actor: bool = False
    extra_parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What the exchange gave (RFC 8693 §2.2.1).

    ``authorization`` is the whole field value, ``Bearer …`` or ``DPoP …``. ``expires_at`` (epoch s) is the
    earliest of ``expires_in`` and the token's own ``exp``; None where neither was told.
    """

    value: str = field(repr=False)
    token_type: Literal["Bearer", "DPoP"]
    expires_at: float | None
    scopes: tuple[str, ...]
    authorization: bytes = field(repr=False)
