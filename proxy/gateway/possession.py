"""Whether the caller holds what its token is bound to: a key, by a proof (RFC 9449 §7), or a certificate (RFC 8705 §3).

Asked of every request, after its token was verified or recalled: what is known of a token says nothing of who shows it.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from ..authentication.binding import Binding
from ..authentication.dpop_proof import Presented, Proof, verify_proof
from ..authentication.proof_nonces import ProofNonces
from ..authentication.subject_token import SubjectToken
from ..cache.used_proofs import SharedUses, UsedProofs
from ..downstream.request import Downstream
from ..errors import ProofInvalid, ProofNonceRequired, SubjectTokenInvalid
from ..http.bearer import shows_proof
from ..runtime import Clock


class Proofs:
    """Checks proofs for all routes; ``shared`` is where replicas tell each other of those that were used."""

    def __init__(
        self, *, used: UsedProofs, shared: SharedUses | None, nonces: ProofNonces, clock: Clock
    ) -> None:
        self._used = used
        self._shared = shared
        self._nonces = nonces
        self._clock = clock

    async def require(
        self, key: str, binding: Binding, subject_token: SubjectToken, downstream: Downstream
    ) -> None:
        """The proof of ``key`` for this very request. Raises ProofInvalid, ProofNonceRequired, ProofUncheckable."""
        if binding.nonce:
            downstream.nonce = self._nonces.current.encode("ascii")
        proof = verify_proof(
            downstream.ended.get(b"dpop", ()),
            binding,
            _describe(subject_token, downstream),
            self._clock.time(),
        )
        if binding.nonce:
            self._require_nonce(proof, downstream)
        if proof.issued_at < self._used.complete_since:
            raise ProofInvalid(
                "the proof was made before a reload that lets proofs be older: it may be a used one"
            )
        await self._used.use(key, proof.token_id, proof.issued_at + binding.window, self._shared)

    def _require_nonce(self, proof: Proof, downstream: Downstream) -> None:
        """Before its use is remembered: the caller makes another proof with the nonce that it is given."""
        if proof.nonce is None or not self._nonces.accepts(proof.nonce):
            raise ProofNonceRequired("the proof has no nonce of ours, or one that has ended")
        downstream.has_nonce = proof.nonce.encode("ascii") == downstream.nonce


class Possession:
    """For one route. ``proofs`` is None where callers cannot show any."""

    def __init__(self, proofs: Proofs | None) -> None:
        self._proofs = proofs

    async def require(self, subject_token: SubjectToken, downstream: Downstream) -> None:
        """Raises SubjectTokenInvalid, or as ``Proofs.require`` does, for who does not show what is needed."""
        binding = subject_token.binding
        proven = self._proofs is not None and shows_proof(downstream.ended.get(b"authorization", ()))
        key = None if binding is None else binding.key
        if proven and key is None:
            raise SubjectTokenInvalid("the token is shown with a proof, and is bound to no key")
        if binding is None:
            return
        if binding.certificate is not None:
            _require_certificate(binding.certificate, downstream)
        if key is None:
            return
        if self._proofs is None or not proven:  # RFC 9449 §7.2: else a proof would be asked of nobody
            raise SubjectTokenInvalid(
                "the token is bound to a key and cannot be used as a bearer token",
                remedy="Let the caller send Authorization: DPoP with a proof.",
            )
        await self._proofs.require(key, binding, subject_token, downstream)


def _require_certificate(thumbprint: str, downstream: Downstream) -> None:
    connection = downstream.connection
    shown = None if connection is None else connection.client_certificate
    if shown is None:
        raise SubjectTokenInvalid(
            "the token is bound to a certificate, and the caller's connection shows none"
        )
    if not hmac.compare_digest(shown, thumbprint):
        raise SubjectTokenInvalid(
            "the token is bound to another certificate than the one of the caller's connection"
        )


def _describe(subject_token: SubjectToken, downstream: Downstream) -> Presented:
    origin = downstream.vouched_origin
    if origin is None:
        raise ProofInvalid(
            "nobody says under which URL the caller reached us: its Host is its own word",
            remedy="Set listen.external_url, or name the proxy in front of us in listen.trusted_proxies.",
        )
    digest = sha256(subject_token.value.encode()).digest()
    return Presented(downstream.method, origin, downstream.raw_path.decode("latin-1"), digest)
