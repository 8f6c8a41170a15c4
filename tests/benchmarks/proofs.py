"""``python -m tests.benchmarks.proofs [SECONDS]``: callers' proofs that one core verifies, and what is remembered.

In one process and without a network: a proof is parsed, its signature and claims are checked, and its use is
remembered. Proofs are made beforehand. Beside it: the verification of a user's token, which a proof does not repeat.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence

import jwt

from proxy.authentication.binding import Binding, read_binding
from proxy.authentication.claims import SubjectTokenPolicy
from proxy.authentication.dpop_proof import Presented, verify_proof
from proxy.authentication.subject_token import parse_subject_token, verify_subject_token
from proxy.cache.used_proofs import MOST, UsedProofs
from proxy.jose.jwk import parse_jwk
from proxy.runtime import SystemClock
from tests.support.issuer import AUDIENCE, ISSUER, Issuer
from tests.support.prover import Prover

ORIGIN, PATH = "https://api.example.com", "/orders/1"
ALGORITHMS = ("ES256", "EdDSA", "RS256", "PS256", "ES384")
MADE = 1000  # proofs, verified in turn


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    for alg in ALGORITHMS:
        prover = Prover(alg)
        print(f"proofs, {alg}: {_rate(_check_proofs(prover), seconds):,.0f}/s")
    print(f"tokens, RS256: {_rate(_check_token(), seconds):,.0f}/s")
    print(f"remembered: {asyncio.run(_measure_memory()) / 1e6:.0f} MB for {MOST:,} proofs")


def _rate(check: Callable[[int], object], seconds: float) -> float:
    """By the time of the process, which others on the machine do not lengthen."""
    check(0)
    began, number = time.process_time(), 0
    while (spent := time.process_time() - began) < seconds:
        number += 1
        check(number)
    return number / spent


def _check_proofs(prover: Prover) -> Callable[[int], object]:
    token = jwt.encode({"sub": "alice"}, "s" * 32)
    proofs: Sequence[bytes] = [prover.prove(ORIGIN + PATH, token).encode() for _ in range(MADE)]
    request = Presented("GET", ORIGIN, PATH, hashlib.sha256(token.encode()).digest())
    binding = _bind(prover)
    now = time.time()
    return lambda number: verify_proof([proofs[number % MADE]], binding, request, now)


def _bind(prover: Prover) -> Binding:
    binding = read_binding(prover.confirmation, tolerance=30.0, nonce=False)
    assert binding is not None
    return binding


def _check_token() -> Callable[[int], object]:
    issuer, now = Issuer(), time.time()
    token = issuer.mint(iat=int(now) - 60, exp=int(now) + 3600, auth_time=int(now))
    key, policy = parse_jwk(issuer.jwk), SubjectTokenPolicy(ISSUER, AUDIENCE)
    return lambda _: verify_subject_token(parse_subject_token(token), key, policy, now)


async def _measure_memory() -> float:
    used, ends_at = UsedProofs(SystemClock()), time.time() + 90
    tracemalloc.start()
    for number in range(MOST):
        await used.use("key", str(number), ends_at + number % 90, None)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return float(size)


if __name__ == "__main__":
    main()
