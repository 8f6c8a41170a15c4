"""The whole way of one user's token along one route, each step by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..authentication.subject_token import SubjectToken
from ..config import models
from ..parts import Parts
from ..runtime import Clock
from ..wiring import build_demands, build_token_request
from .differences import hide_tokens
from .exchange import ExchangeExamination, examine_exchange
from .finding import Finding, examine
from .subject import SubjectExamination, examine_subject_token


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``ok`` where a request would reach the API. Claims are decoded; None where there are none to read.

    ``before`` are the subject token's, verified or not as the findings say, ``after`` the issued token's.
    """

    route: str
    findings: tuple[Finding, ...]
    before: Mapping[str, Any] | None = field(repr=False)
    after: Mapping[str, Any] | None = field(repr=False)

    @property
    def ok(self) -> bool:
        return all(finding.verdict != "fail" for finding in self.findings)


async def diagnose(token: str | None, route: models.Route, parts: Parts, clock: Clock) -> Diagnosis:
    """``token`` is the user's as a caller would present it, and is not looked at where the route needs no user.

    It makes the exchange that a request would make, and raises nothing for whatever it finds.
    """
    subject = SubjectExamination(())
    if route.grant in models.NEEDS_USER:
        verifier = parts.verifiers[route.subject_token_type == "id_token"]
        subject = await examine_subject_token(token or "", verifier, clock)
    diagnosis = await diagnose_exchange(subject, route, parts, clock)
    return replace(diagnosis, findings=(*subject.findings, *diagnosis.findings))


async def diagnose_exchange(
    subject: SubjectExamination, route: models.Route, parts: Parts, clock: Clock
) -> Diagnosis:
    """The same from where the user's token has been examined, without the findings of that."""
    findings: list[Finding] = []
    exchanged = ExchangeExamination(())
    request = build_token_request(route, parts.settings)
    if route.grant in models.NEEDS_USER:
        findings.append(await _examine_demands(subject.subject_token, route, clock))
    if request is None:
        findings.append(Finding("exchange", route.name, "skip", "the route needs no token"))
    elif any(finding.verdict != "pass" for finding in findings):
        findings.append(Finding("exchange", route.name, "skip", "there is no accepted token to exchange"))
    else:
        exchanged = await examine_exchange(request, subject.subject_token, parts, clock, about=route.name)
    return Diagnosis(
        route=route.name,
        findings=(*findings, *exchanged.findings),
        before=hide_tokens(subject.claims),
        after=hide_tokens(exchanged.claims),
    )


async def _examine_demands(subject_token: SubjectToken | None, route: models.Route, clock: Clock) -> Finding:
    """What the route asks of a user's token beyond being accepted."""

    async def require() -> Finding:
        demand = build_demands(route, clock)
        if subject_token is None:
            return Finding("demands", route.name, "skip", "the token was not accepted")
        if demand is None:
            return Finding("demands", route.name, "pass", "the route asks for nothing more")
        demand(subject_token)
        return Finding("demands", route.name, "pass", "the token has what the route asks for")

    return await examine(clock, "demands", route.name, require)
