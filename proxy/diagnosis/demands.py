"""Each demand on a token's claims as a step: what was expected, and what the token has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..authentication.binding import CERTIFICATE, CONFIRMATION, KEY
from ..authentication.claims import CLIENT_CLAIMS, DEMANDS, SubjectTokenPolicy, read_scopes
from ..errors import ProxyError
from .finding import Finding, build_failure

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def examine_demand(
    name: str, claims: Mapping[str, Any], policy: SubjectTokenPolicy, now: float, *, about: str = ""
) -> Finding:
    """The finding of the demand ``name`` of ``DEMANDS``; the claims must have the right types."""
    wanted, has = _FACTS[name](claims, policy, now)
    try:
        DEMANDS[name](claims, policy, now)
    except ProxyError as error:
        expected = f"expected {wanted}, got {has}" if wanted else has
        return build_failure(name, about, error, summary=f"{error}: {expected}")
    return Finding(name, about, "pass", has)


def describe_duration(seconds: float) -> str:
    """``150`` is ``2 min``, and ``3599`` is ``1 h``: whole units show what is the matter."""
    unit, name = next((row for row in _UNITS if abs(seconds) >= 0.99 * row[0]), (1, "s"))
    return f"{round(abs(seconds) / unit)} {name}"


def describe_texts(values: str | Collection[str]) -> str:
    """Claims of one or several texts, as they are written in Okta's console."""
    listed = [values] if isinstance(values, str) else sorted(values)
    return " ".join(listed) or "none"


def _describe_times(claims: Mapping[str, Any], _policy: SubjectTokenPolicy, now: float) -> tuple[str, str]:
    left = claims["exp"] - now
    ends = f"ends in {describe_duration(left)}" if left > 0 else f"ended {describe_duration(left)} ago"
    if "iat" not in claims:
        return "", ends
    age = now - claims["iat"]
    begins = (
        f"issued {describe_duration(age)} ago" if age >= 0 else f"issued {describe_duration(age)} from now"
    )
    return "", f"{begins}, {ends}"


def _describe_client(claims: Mapping[str, Any], policy: SubjectTokenPolicy, _now: float) -> tuple[str, str]:
    found = {claims[name] for name in CLIENT_CLAIMS if name in claims}
    return describe_texts(policy.client_ids), describe_texts(found)


def _describe_binding(claims: Mapping[str, Any]) -> str:
    """What its caller must show, which is not shown here."""
    confirmation = claims.get(CONFIRMATION, {})
    needed = [what for name, what in _BINDINGS.items() if name in confirmation]
    return f"bound: callers need {' and '.join(needed)}" if needed else "a bearer token"


_BINDINGS = {KEY: "a DPoP proof", CERTIFICATE: "their certificate"}
_FACTS: Mapping[str, Callable[[Mapping[str, Any], SubjectTokenPolicy, float], tuple[str, str]]] = {
    "issuer": lambda claims, policy, _: (policy.issuer, claims["iss"]),
    "audience": lambda claims, policy, _: (policy.expected_audience, describe_texts(claims["aud"])),
    "client": _describe_client,
    "binding": lambda claims, _policy, _now: ("", _describe_binding(claims)),
    "kind": lambda claims, policy, _: ("", "an ID token" if policy.id_tokens else "an access token"),
    "times": _describe_times,
    "scopes": lambda claims, policy, _: (
        describe_texts(policy.required_scopes),
        describe_texts(read_scopes(claims)),
    ),
}
