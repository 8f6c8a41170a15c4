"""What vouches for workloads in the demo: a cluster that signs service account tokens, and a SPIFFE trust domain.

Both are one issuer here. Kubernetes' tokens name it as ``iss``; a JWT-SVID names its trust domain in ``sub`` alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import jwt

from .signing import KeyRing

SERVICE_ACCOUNT = "system:serviceaccount:orders:orders-api"
SPIFFE_ID = "spiffe://demo.example/ns/orders/sa/orders-api"
_ISSUER = "https://kubernetes.default.svc.cluster.local"


class Workloads:
    """Signs for workloads; the org trusts it, as an administrator would have it do."""

    def __init__(self, name: str) -> None:
        self.issuer = _ISSUER
        self._keys = KeyRing(f"{name}/workloads")

    def vouch(
        self, subject: str, audience: str | Sequence[str], *, expires_in: float = 3600, **claims: Any
    ) -> str:
        """A token of a service account, or of a workload where ``subject`` is a SPIFFE ID."""
        now = int(time.time())
        listed = [audience] if isinstance(audience, str) else list(audience)
        issued = {"aud": listed, "exp": int(now + expires_in), "iat": now, "sub": subject}
        if not subject.startswith("spiffe:"):
            issued |= {"iss": self.issuer, "nbf": now}
        return self._keys.sign({**issued, **claims}, {"typ": "JWT"})

    def verify(self, assertion: str) -> dict[str, Any] | None:
        """The claims of what it has signed, whatever they say; None for anything else."""
        try:
            return self._keys.verify(assertion)
        except jwt.PyJWTError:
            return None
