"""A caller that holds a key, and makes proofs of it as RFC 9449 §4.2 says, or as a test wants them to be."""

from __future__ import annotations

import hashlib
import time
from typing import Any
from uuid import uuid4

import jwt

from proxy.jose.jwk import build_thumbprint

from .issuer import b64, make_jwk, make_key


class Prover:
    """One key, by ``alg``."""

    def __init__(self, alg: str = "ES256", key: Any = None) -> None:
        self.alg = alg
        self.key = key or make_key("EdDSA" if alg == "Ed25519" else alg, "prover")
        self.jwk = make_jwk(self.key)
        self.thumbprint = build_thumbprint(self.jwk)

    @property
    def confirmation(self) -> dict[str, Any]:
        """What binds a token to the key."""
        return {"cnf": {"jkt": self.thumbprint}}

    def prove(
        self, url: str, token: str, method: str = "GET", header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """A proof; a member that is None is left out."""
        payload = {
            "htm": method,
            "htu": url,
            "iat": int(time.time()),
            "jti": uuid4().hex,
            "ath": b64(hashlib.sha256(token.encode()).digest()),
        }
        members = {"typ": "dpop+jwt", "alg": self.alg, "jwk": self.jwk} | (header or {})
        signing_input = f"{b64(_without_none(members))}.{b64(_without_none(payload | claims))}"
        algorithm = jwt.get_algorithm_by_name("EdDSA" if self.alg == "Ed25519" else self.alg)
        return f"{signing_input}.{b64(algorithm.sign(signing_input.encode(), self.key))}"

    def show(self, url: str, token: str, method: str = "GET", **claims: Any) -> dict[str, str]:
        """The fields of a request."""
        return {"Authorization": f"DPoP {token}", "DPoP": self.prove(url, token, method, **claims)}


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
