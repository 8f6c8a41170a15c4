"""The exchange by itself, and what the API behind the route would make of the token that it gives.

It is neither taken from the cache nor kept there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..authentication.claims import SubjectTokenPolicy
from ..authentication.subject_token import SubjectToken, parse_subject_token
from ..authentication.verifier import find_key
from ..errors import ProxyError
from ..exchange.okta_refusals import CHECK_AUDIENCE, CHECK_POLICY
from ..exchange.token_exchange import AccessToken, TokenRequest
from ..exchange.token_response import parse_claims
from ..jose.jws import verify_signature
from ..parts import Issuer, Parts
from ..runtime import Clock
from .demands import describe_duration, describe_texts, examine_demand
from .finding import Finding, build_failure, examine, name_places

SIGNATURES = frozenset(f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in (256, 384, 512)) | {"EdDSA"}
_REMEDIES = {
    "issuer": "Set issuer to what the server's tokens have as iss (Okta: its issuer mode), in the API as well.",
    "audience": CHECK_AUDIENCE,
    "times": "Compare the clocks of the authorization server, this host and the API's.",
    "scopes": CHECK_POLICY,
}
_CHECK_SIGNATURE = (
    "Exchange at a custom authorization server: Okta's org authorization server does not publish its keys."
)


@dataclass(frozen=True, slots=True)
class ExchangeExamination:
    """``claims`` are what the issued token says; None without one, or if it is opaque.

    ``token`` is None where it was not accepted.
    """

    findings: tuple[Finding, ...]
    claims: Mapping[str, Any] | None = field(default=None, repr=False)
    token: AccessToken | None = None


async def examine_first_leg(
    request: TokenRequest, subject_token: SubjectToken, parts: Parts, clock: Clock, *, about: str
) -> ExchangeExamination:
    """Ask the identity provider for the first token, and check it as a request would. Raises no ProxyError."""
    issuer = parts.issuers[request.authorization_server]
    token: AccessToken | None = None

    async def ask() -> Finding:
        nonlocal token
        token = issuer.server.accept(await issuer.server.ask(request, subject_token), request, subject_token)
        lasts = describe_duration((token.expires_at or clock.time()) - clock.time())
        told = f"{request.requested_token_type} from {issuer.settings.issuer} for {describe_texts(request.audience)}"
        return Finding("first_leg", about, "pass", f"{told}, for {lasts}")

    finding = name_places(await examine(clock, "first_leg", about, ask), issuer.settings)
    return ExchangeExamination((finding,), token=token)


async def examine_exchange(
    request: TokenRequest, subject_token: SubjectToken | None, parts: Parts, clock: Clock, *, about: str
) -> ExchangeExamination:
    """Ask for the token of ``request``, accept it as a request would, and look at it as the API would.

    ``about`` is the route. Raises no ProxyError.
    """
    issuer = parts.issuers[request.authorization_server]
    answer: Mapping[str, Any] = {}

    async def ask() -> Finding:
        nonlocal answer
        answer = await issuer.server.ask(request, subject_token)
        return Finding("exchange", about, "pass", f"{request.grant} at {issuer.settings.issuer}")

    asked = name_places(await examine(clock, "exchange", about, ask), issuer.settings)
    if asked.verdict == "fail":
        return ExchangeExamination((asked,))
    value = answer.get("access_token")
    claims = parse_claims(value) if isinstance(value, str) else None
    token, accepted = _accept(answer, request, subject_token, parts, clock, about)
    findings = [asked, accepted]
    if claims is not None and isinstance(value, str):
        findings += await _examine_as_api(value, request, issuer, clock, about)
    named = tuple(name_places(finding, issuer.settings) for finding in findings)
    return ExchangeExamination(named, claims, token)


def _accept(
    answer: Mapping[str, Any],
    request: TokenRequest,
    subject_token: SubjectToken | None,
    parts: Parts,
    clock: Clock,
    about: str,
) -> tuple[AccessToken | None, Finding]:
    server = parts.issuers[request.authorization_server].server
    try:
        access_token = server.accept(answer, request, subject_token)
        if access_token.certificate is not None:
            parts.bound[about].find_certificate(access_token.certificate)
    except ProxyError as error:
        return None, build_failure("answer", about, error)
    ends = access_token.expires_at
    claims = parse_claims(access_token.value) or {}
    whose = f", sub {claims['sub']}" if "sub" in claims else ""
    lasts = "no end told" if ends is None else f"for {describe_duration(ends - clock.time())}"
    told = f"{access_token.token_type}, {lasts}, {describe_texts(access_token.scopes)}{whose}"
    return access_token, Finding("answer", about, "pass", told)


async def _examine_as_api(
    value: str, request: TokenRequest, issuer: Issuer, clock: Clock, about: str
) -> list[Finding]:
    """RFC 9068 §4, as whoever receives the token does: by the keys that the authorization server publishes."""
    policy = SubjectTokenPolicy(
        issuer=issuer.settings.issuer,
        expected_audience=next(iter(request.audience), ""),
        # Entra ID, whose flow jwt_bearer is, writes scopes otherwise than they were asked for.
        required_scopes=() if request.grant == "jwt_bearer" else request.scopes,
        algorithms=SIGNATURES,
    )
    try:
        token = parse_subject_token(value)
    except ProxyError as error:
        return [_as_api(build_failure("signature", about, error))]

    async def verify() -> Finding:
        key = await find_key(token.jws, policy.algorithms, issuer.keys)
        verify_signature(token.jws, key, policy.algorithms)
        return Finding("signature", about, "pass", "the authorization server's published key made it")

    steps = [name for name in _REMEDIES if name != "audience" or request.audience]
    found = [examine_demand(name, token.claims, policy, clock.time(), about=about) for name in steps]
    return [_as_api(finding) for finding in [await examine(clock, "signature", about, verify), *found]]


def _as_api(finding: Finding) -> Finding:
    """A warning where the proxy does not mind: what the API itself checks is for it to say."""
    step = f"api_{finding.step}"
    if finding.verdict != "fail":
        return replace(finding, step=step)
    summary = f"an API that checks it would refuse the token: {finding.summary}"
    return Finding(step, finding.about, "warn", summary, _REMEDIES.get(finding.step, _CHECK_SIGNATURE))
