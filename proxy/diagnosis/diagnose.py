"""The whole way of one user's token along one route, each step by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..authentication.subject_token import SubjectToken
from ..config import models
from ..exchange.actors import check_actors
from ..exchange.answer import show
from ..exchange.route_requests import build_first_request, build_token_request
from ..exchange.token_exchange import TokenRequest
from ..parts import Parts
from ..runtime import Clock
from ..wiring.authentication import build_demands
from .differences import hide_tokens
from .exchange import ExchangeExamination, examine_exchange, examine_first_leg
from .finding import Finding, examine
from .spending import USUAL_LIFETIME, judge_spending
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
        if subject.subject_token is not None and "act" in subject.subject_token.claims:
            findings.append(await _examine_actors(subject.subject_token, route, clock))
    if request is None:
        findings.append(Finding("exchange", route.name, "skip", "the route needs no token"))
    elif route.actor is not None and route.actor.header is not None:
        findings.append(
            Finding("exchange", route.name, "skip", f"needs the actor's token in {route.actor.header}")
        )
    elif any(finding.verdict != "pass" for finding in findings):
        findings.append(Finding("exchange", route.name, "skip", "there is no accepted token to exchange"))
    else:
        exchanged = await _examine_legs(request, subject.subject_token, route, parts, clock)
    return Diagnosis(
        route=route.name,
        findings=(*findings, *exchanged.findings),
        before=hide_tokens(subject.claims),
        after=hide_tokens(exchanged.claims),
    )


async def _examine_legs(
    request: TokenRequest,
    subject_token: SubjectToken | None,
    route: models.Route,
    parts: Parts,
    clock: Clock,
) -> ExchangeExamination:
    """One exchange, or both calls in turn; what they cost is told where it is counted."""
    first_request = build_first_request(route, parts.settings)
    if first_request is None or subject_token is None:
        return await examine_exchange(request, subject_token, parts, clock, about=route.name)
    first = await examine_first_leg(first_request, subject_token, parts, clock, about=route.name)
    if first.token is None:
        return ExchangeExamination(first.findings)
    assertion = subject_token.exchanged_for(first.token.value)
    second = await examine_exchange(request, assertion, parts, clock, about=route.name)
    ends = [None if token is None else token.expires_at for token in (second.token, first.token)]
    lifetime, first_lifetime = (None if end is None else end - clock.time() for end in ends)
    cost = judge_spending(
        route, parts.settings.cache, lifetime=lifetime, first_lifetime=first_lifetime or USUAL_LIFETIME
    )
    findings = (*first.findings, *second.findings, *([cost] if cost else []))
    return replace(second, findings=findings)


async def _examine_actors(subject_token: SubjectToken, route: models.Route, clock: Clock) -> Finding:
    """Who stands between the user and this call, by the token."""

    async def check() -> Finding:
        check_actors(subject_token.actors, route.allowed_actors, route.max_actors)
        named = ", ".join(name or "somebody without a name" for name in subject_token.actors)
        return Finding("actors", route.name, "pass", f"acting for the user: {show(named)}")

    return await examine(clock, "actors", route.name, check)


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
