"""The user's token as presented, verified (RFC 7519, RFC 9068, RFC 8725)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SubjectToken:
    """A verified subject token; ``expires_at`` is epoch seconds.

    ``identity`` (32 bytes) tells apart what the cache must tell apart.
    """

    value: str = field(repr=False)
    authorization_server: str
    issuer: str
    subject: str = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)
    identity: bytes = field(repr=False)
    expires_at: float
