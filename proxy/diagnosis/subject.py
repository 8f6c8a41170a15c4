"""The user's token, step by step: the very checks that a request's token passes, each by itself.

Where the proxy stops at the first refusal the examination goes on, so that everything that is wrong with a
token is told at once. Whether it is accepted is for the verifier alone to say, and it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..authentication.claims import DEMANDS
from ..authentication.subject_token import SubjectToken, UnverifiedToken, parse_subject_token
from ..authentication.verifier import Accepted, Verifier, find_key
from ..errors import ProxyError
from ..exchange.token_response import parse_claims
from ..jose.jws import verify_signature
from ..runtime import Clock
from .demands import examine_demand
from .finding import Finding, build_failure, examine

STEPS = ("token", "issuer", "signature", *(name for name in DEMANDS if name != "issuer"))
"""In this order; where an issuer's tokens are introspected, ``introspection`` takes the place of the rest."""


@dataclass(frozen=True, slots=True)
class SubjectExamination:
    """``claims`` are what the token says, verified only if ``subject_token`` is there; None if unreadable."""

    findings: tuple[Finding, ...]
    claims: Mapping[str, Any] | None = field(default=None, repr=False)
    subject_token: SubjectToken | None = None


async def examine_subject_token(token: str, verifier: Verifier, clock: Clock) -> SubjectExamination:
    """Every step for ``token`` as a caller would present it. Raises no ProxyError."""
    findings = await _examine(token, verifier, clock)
    try:
        subject_token = await verifier.verify(token, bound=True)
    except ProxyError as error:
        if all(finding.verdict != "fail" for finding in findings):
            findings.append(build_failure("verification", "", error))
        return SubjectExamination(tuple(findings), parse_claims(token))
    return SubjectExamination(tuple(findings), subject_token.claims, subject_token)


async def _examine(token: str, verifier: Verifier, clock: Clock) -> list[Finding]:
    unverified, parsed = _parse(token, verifier)
    if parsed.verdict == "fail":
        return [parsed, *_skip(STEPS[1:])]
    try:
        entries = verifier.choose(unverified)
    except ProxyError as error:
        return [parsed, build_failure("issuer", "", error), *_skip(STEPS[2:])]
    chosen = Finding("issuer", "", "pass", entries[0].policy.issuer)
    # Of several entries of one issuer the one that is closest to accepting the token is told of.
    tried = [await _examine_entry(token, unverified, entry, verifier, clock) for entry in entries]
    closest = min(tried, key=lambda steps: sum(step.verdict == "fail" for step in steps))
    return [parsed, chosen, *closest]


def _parse(token: str, verifier: Verifier) -> tuple[UnverifiedToken | None, Finding]:
    try:
        unverified = parse_subject_token(token)
    except ProxyError as error:
        if verifier.choose(None):
            return None, Finding("token", "", "pass", "only its authorization server can read it")
        return None, build_failure("token", "", error, remedy=_advise(token, error))
    jws = unverified.jws
    return unverified, Finding("token", "", "pass", f"a JWT, alg {jws.alg}, kid {jws.kid or 'none'}")


def _advise(token: str, error: ProxyError) -> str:
    if token.lower().startswith("bearer "):
        return "Give the token alone, without the word Bearer before it."
    if "." not in token:
        return (
            "An opaque token can be accepted only by asking its authorization server: set introspect: true."
        )
    return error.remedy


async def _examine_entry(
    token: str, unverified: UnverifiedToken | None, entry: Accepted, verifier: Verifier, clock: Clock
) -> list[Finding]:
    keys = entry.keys
    if keys is None or unverified is None:

        async def introspect() -> Finding:
            await verifier.verify(token, bound=True)
            return Finding("introspection", "", "pass", "active, and as is demanded")

        return [await examine(clock, "introspection", "", introspect)]

    async def verify() -> Finding:
        key = await find_key(unverified.jws, entry.policy.algorithms, keys)
        verify_signature(unverified.jws, key, entry.policy.algorithms)
        return Finding("signature", "", "pass", "the issuer's key made it")

    signature = await examine(clock, "signature", "", verify)
    now = clock.time()
    return [signature, *(examine_demand(name, unverified.claims, entry.policy, now) for name in STEPS[3:])]


def _skip(steps: Sequence[str]) -> list[Finding]:
    return [Finding(step, "", "skip", "cannot be told") for step in steps]
