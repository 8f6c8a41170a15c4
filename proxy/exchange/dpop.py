"""RFC 9449: proofs that we hold the key a token is bound to, and the nonces servers ask for in them.

Not here: checking of others' proofs. A proof is made for one request and never used again.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import jwt

from ..jose.encoding import encode_base64url
from ..jose.private_keys import PrivateKey, generate_key, public_jwk, thumbprint
from ..runtime import Clock

ALG = "ES256"
_NONCE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,1024}")  # §8.1: NQCHAR; no server's is as long


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


class Nonces:
    """The latest nonce of each origin (§8.2: an answer of any status may bring a new one)."""

    def __init__(self) -> None:
        self._nonces: dict[str, str] = {}

    def find(self, url: str) -> str | None:
        return self._nonces.get(_origin(url))

    def learn(self, url: str, headers: Mapping[str, str]) -> bool:
        """Keep the nonce that an answer from ``url`` brought; True where there was one."""
        nonce = headers.get("dpop-nonce")
        if nonce is None or not _NONCE.fullmatch(nonce):
            return False
        self._nonces[_origin(url)] = nonce
        return True


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
