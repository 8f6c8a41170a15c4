"""RFC 7800 §3.1: the key that a token is bound to, as its claims name it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def parse_confirmation(claims: Mapping[str, Any]) -> str | None:
    """The thumbprint of the certificate that a token is bound to (RFC 8705 §3.1); None for none. Raises ValueError."""
    confirmation = claims.get("cnf")
    if confirmation is None:
        return None
    if not isinstance(confirmation, dict):
        raise ValueError("cnf is not an object")  # noqa: TRY004  one exception type for every fault of a token
    thumbprint = confirmation.get("x5t#S256")
    if not isinstance(thumbprint, str | None):
        raise ValueError("cnf names a certificate by what is no text")  # noqa: TRY004
    return thumbprint
