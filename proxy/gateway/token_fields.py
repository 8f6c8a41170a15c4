"""How an access token is shown to an upstream (RFC 6750 §2.1, RFC 9449 §7.1).

A bearer token is shown as it is, one that is bound to a key with a proof of that key, and never one kind as
the other.
"""

from __future__ import annotations

from ..exchange.dpop import DPoPKey, Nonces
from ..exchange.token_exchange import AccessToken
from ..http.headers import Field, Fields, values

DPOP = "DPoP"


class TokenFields:
    """Shows tokens to the upstream at ``base_url``; ``key`` is the one that DPoP tokens are bound to."""

    def __init__(self, base_url: str, key: DPoPKey | None) -> None:
        self._base_url = base_url
        self._key = key
        self._nonces = Nonces()

    def build_fields(self, access_token: AccessToken, method: str, target: bytes) -> list[Field]:
        """The fields that show ``access_token`` on one request: a proof is never used twice."""
        fields = [(b"authorization", access_token.authorization)]
        if access_token.token_type == DPOP and self._key is not None:
            url = self._base_url + target.decode("ascii")
            proof = self._key.proof(
                method, url, nonce=self._nonces.find(url), access_token=access_token.value
            )
            fields.append((b"dpop", proof.encode("ascii")))
        return fields

    def learn(self, status: int, fields: Fields) -> bool:
        """Keep the nonce of an answer to a proof; True where the answer is that it lacked it (RFC 9449 §9)."""
        nonce = next(iter(values(fields, b"dpop-nonce")), b"").decode("latin-1")
        learnt = self._nonces.learn(self._base_url, {"dpop-nonce": nonce})
        challenges = b" ".join(values(fields, b"www-authenticate"))
        return learnt and status == 401 and b"use_dpop_nonce" in challenges
