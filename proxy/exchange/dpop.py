"""RFC 9449: proofs that we hold the key a token is bound to.

Not here: checking of others' proofs. A proof is made for one request and never used again.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import jwt

from ..jose.encoding import encode_base64url
from ..jose.private_keys import PrivateKey, generate_key, public_jwk, thumbprint
from ..runtime import Clock

ALG = "ES256"


class DPoPKey:
    """One key pair for the life of the process; ``thumbprint`` is the ``jkt`` tokens are bound to (§6)."""

    def __init__(self, clock: Clock, key: PrivateKey | None = None) -> None:
        self._clock = clock
        self._key = key or generate_key(ALG)
        self._jwk = public_jwk(self._key)
        self.thumbprint = thumbprint(self._jwk)

    def proof(
        self,
        method: str,
        url: str,
        *,
        nonce: str | None = None,
        access_token: str | None = None,
        now: float | None = None,
    ) -> str:
        """A proof for one request (§4.2); with ``access_token`` for a protected resource (§7).

        ``now`` is epoch seconds by the other side's clock, where that is known to differ.
        """
        claims: dict[str, Any] = {
            "htm": method,
            "htu": urlunsplit((*urlsplit(url)[:3], "", "")),
            "jti": secrets.token_urlsafe(16),
            "iat": int(self._clock.time() if now is None else now),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        if access_token is not None:
            claims["ath"] = encode_base64url(hashlib.sha256(access_token.encode()).digest())
        return jwt.encode(claims, self._key, algorithm=ALG, headers={"typ": "dpop+jwt", "jwk": self._jwk})
