"""A proof by itself (RFC 9449 §4.3); ``gateway/test_possession`` has the whole table, in whole requests."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from proxy.authentication import dpop_proof
from proxy.authentication.binding import Binding, read_binding
from proxy.authentication.dpop_proof import Presented, Proof, verify_proof
from proxy.errors import ProofInvalid, SubjectTokenInvalid
from tests.support.issuer import NOW
from tests.support.prover import Prover

URL, TOKEN = "https://api.example.com/orders/1", "a.b.c"
PRESENTED = Presented("GET", "https://api.example.com", "/orders/1", hashlib.sha256(TOKEN.encode()).digest())


def bind(prover: Prover) -> Binding:
    binding = read_binding(prover.confirmation, tolerance=30.0, nonce=False)
    assert binding is not None
    return binding


def verify(prover: Prover, binding: Binding | None = None, **claims: Any) -> Proof:
    proof = prover.prove(URL, TOKEN, **{"iat": NOW, "jti": "one"} | claims)
    return verify_proof([proof.encode()], binding or bind(prover), PRESENTED, NOW)


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "Ed25519", "RS256"])
def test_what_it_says(alg: str) -> None:
    assert verify(Prover(alg), nonce="n") == Proof("one", NOW, "n")
    assert "one" not in repr(verify(Prover(alg)))


@pytest.mark.parametrize(("seconds", "taken"), [(-90, True), (-90.5, False), (90, True), (90.5, False)])
def test_its_window(seconds: float, taken: bool) -> None:
    """To both sides, for clocks differ."""
    if taken:
        verify(Prover(), iat=NOW + seconds)
    else:
        with pytest.raises(ProofInvalid, match="iat"):
            verify(Prover(), iat=NOW + seconds)


def test_a_key_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next proof for the same token brings the same one."""
    binding = bind(Prover())
    verify(Prover(), binding)
    monkeypatch.setattr(dpop_proof, "parse_jwk", None)
    verify(Prover(), binding, jti="two")


def test_another_key() -> None:
    """Told apart from a proof that is none: the token is at fault for this caller."""
    with pytest.raises(SubjectTokenInvalid, match="another key"):
        verify(Prover("EdDSA"), bind(Prover()))
