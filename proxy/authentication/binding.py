"""RFC 7800 §3.1: what a token is bound to, which whoever shows it must hold.

A key, of which each request brings a proof (RFC 9449 §6.1), or the certificate of the connection (RFC 8705 §3.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..jose.jwk import SigningKey

CONFIRMATION = "cnf"
KEY = "jkt"
CERTIFICATE = "x5t#S256"
PROOF_LEEWAY = 60.0  # s that a proof may be old, or ahead, beside what the clocks differ

_SHA256 = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(slots=True)
class Binding:
    """``key`` and ``certificate`` are SHA-256 thumbprints in base64url; one of them is there.

    A proof is taken within ``window`` s of its making, and needs a nonce of ours where ``nonce`` says so.
    ``public_key`` is the key once it has been read.
    """

    key: str | None
    certificate: str | None
    window: float
    nonce: bool
    public_key: SigningKey | None = field(default=None, repr=False, compare=False)


def read_binding(claims: Mapping[str, Any], *, tolerance: float, nonce: bool) -> Binding | None:
    """What verified ``claims`` are bound to, None for a bearer token's; ``tolerance`` (s) is that of the clocks."""
    confirmation = claims.get(CONFIRMATION)
    if confirmation is None:
        return None
    key, certificate = confirmation.get(KEY), confirmation.get(CERTIFICATE)
    return Binding(key, certificate, tolerance + PROOF_LEEWAY, nonce)


def is_confirmation(value: Any) -> bool:
    """Whether it is an object, with thumbprints where they are to be."""
    return isinstance(value, dict) and all(
        isinstance(value[name], str) and _SHA256.fullmatch(value[name])
        for name in (KEY, CERTIFICATE)
        if name in value
    )
