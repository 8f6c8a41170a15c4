"""RFC 7519 §4.1 and RFC 9068 §2.2, §4: what a subject token must say, wherever its claims were read.

A JWT's claims and an introspection answer (RFC 7662) pass the same two steps: the types, then the
demands of one accepted issuer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from mypy_extensions import mypyc_attr

from ..errors import ScopeInsufficient, SubjectTokenExpired, SubjectTokenInvalid
from .binding import CERTIFICATE, CONFIRMATION, KEY, is_confirmation

MAX_SUBJECT = 255  # characters (OpenID Connect Core §2)
MAX_NUMBER = 2**53  # beyond it JSON numbers are not exact (RFC 7493 §2.2)
CLIENT_CLAIMS = ("cid", "azp", "client_id")  # Okta, OpenID Connect, RFC 9068
# What tells where a token is from and what for, not whose it is.
IMPERSONAL = frozenset({"iss", "aud", *CLIENT_CLAIMS, "scp", "scope", "ver", "typ", "acr", "amr"})
MAX_SHARED = 4096  # values
_DEEPEST = 64  # actors that are looked at: JSON of a token's size can nest no deeper to any purpose
H = TypeVar("H", bound=Hashable)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@mypyc_attr(native_class=False)
@dataclass(frozen=True, slots=True)
class SubjectTokenPolicy:
    """What one accepted issuer's tokens must satisfy; ``clock_tolerance`` is seconds.

    ``id_tokens`` lets ID tokens pass, for routes whose subject token type is ``id_token``. ``dpop`` is whether tokens
    may be bound to a key, ``dpop_nonce`` whether proofs of it need a nonce of ours; ``certificates`` lets tokens pass
    that are bound to a certificate, for callers can show theirs.
    """

    issuer: str
    expected_audience: str
    client_ids: frozenset[str] = frozenset()
    required_scopes: tuple[str, ...] = ()
    algorithms: frozenset[str] = frozenset({"RS256", "ES256"})
    clock_tolerance: float = 30.0
    id_tokens: bool = False
    dpop: Literal["refuse", "accept", "require"] = "refuse"
    dpop_nonce: bool = False
    certificates: bool = False


def parse_claims(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """``claims``, if those we read have the right types; else SubjectTokenInvalid."""
    for name in ("iss", "sub", "aud", "exp"):
        if name not in claims:
            raise SubjectTokenInvalid(f"the token has no {name}")
    for name, is_right in _CHECKS.items():
        if name in claims and not is_right(claims[name]):
            raise SubjectTokenInvalid(f"the token's {name} is not of the right form")
    return claims


class SharedValues:
    """One of each value that many users' tokens have alike: at most ``MAX_SHARED``, others stay each token's own."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}

    def share(self, value: H) -> H:
        """An equal one of the same type."""
        if len(self._known) >= MAX_SHARED:
            return cast("H", self._known.get(value, value))
        return cast("H", self._known.setdefault(value, value))


def verify_claims(claims: Mapping[str, Any], policy: SubjectTokenPolicy, now: float) -> None:
    """SubjectTokenInvalid, SubjectTokenExpired or ScopeInsufficient, in this order, unless the policy is met."""
    for require in DEMANDS.values():
        require(claims, policy, now)


def read_scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes in ``scp`` (Okta: a list) and ``scope`` (RFC 9068 §2.2.3: separated by spaces)."""
    found: set[str] = set()
    for name in ("scp", "scope"):
        value = claims.get(name, ())
        found.update(value.split(" ") if isinstance(value, str) else value)
    return frozenset(found)


def read_actors(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The subjects of those who act for the user, the latest first (RFC 8693 §4.1).

    An empty text stands for one without a subject, and for one that is no object: that is an actor nobody knows.
    """
    act = claims.get("act")
    if act is None:
        return ()
    found: list[str] = []
    while act is not None and len(found) < _DEEPEST:
        known = act if isinstance(act, dict) else {}
        found.append(str(known.get("sub", "")))
        act = known.get("act")
    return tuple(found)


def has_expired(expires_at: float, clock_tolerance: float, now: float) -> bool:
    return now >= expires_at + clock_tolerance


def _require_issuer(claims: Mapping[str, Any], policy: SubjectTokenPolicy, _now: float) -> None:
    if claims["iss"] != policy.issuer:
        raise SubjectTokenInvalid("the token's iss is another issuer")


def _require_audience(claims: Mapping[str, Any], policy: SubjectTokenPolicy, _now: float) -> None:
    if policy.expected_audience not in read_texts(claims["aud"]):
        raise SubjectTokenInvalid(
            "the token's aud does not hold the expected audience",
            remedy=f"Let the caller ask for a token for {policy.expected_audience}.",
        )


def _require_client(claims: Mapping[str, Any], policy: SubjectTokenPolicy, _now: float) -> None:
    if not policy.client_ids:
        return
    clients = {claims[name] for name in CLIENT_CLAIMS if name in claims}
    if not clients or not clients <= policy.client_ids:
        raise SubjectTokenInvalid("the token was issued to a client that is not accepted")


def _require_binding(claims: Mapping[str, Any], policy: SubjectTokenPolicy, _now: float) -> None:
    """Bound to nothing but what its caller can be asked to show (RFC 7800 §3.1); whether it does is asked later."""
    bound_to = claims.get(CONFIRMATION, {}).keys()
    if policy.dpop == "require" and KEY not in bound_to:
        raise SubjectTokenInvalid(
            "the token is bound to no key",
            remedy="Let the caller get DPoP-bound tokens, or set dpop: accept.",
        )
    if CONFIRMATION not in claims:
        return
    if policy.dpop == "refuse" and KEY in bound_to:
        raise SubjectTokenInvalid(
            "the token is bound to a key and cannot be used as a bearer token",
            remedy="Let the caller get bearer tokens, or set dpop: accept in subject_tokens.",
        )
    if not policy.certificates and CERTIFICATE in bound_to:
        raise SubjectTokenInvalid(
            "the token is bound to a key, that of a certificate, and callers can show none",
            remedy="Name who issues callers' certificates in listen.tls.client_ca_file.",
        )
    if not bound_to or not bound_to <= {KEY, CERTIFICATE}:  # RFC 7800 has more ways than are known here
        raise SubjectTokenInvalid("the token is bound to a key in a way that cannot be checked")


def _require_access_token(claims: Mapping[str, Any], policy: SubjectTokenPolicy, _now: float) -> None:
    if _is_id_token(claims) and not policy.id_tokens:
        raise SubjectTokenInvalid(
            "this is an ID token, not an access token", remedy="Let the caller send its access token."
        )


def _is_id_token(claims: Mapping[str, Any]) -> bool:
    """RFC 8725 §2.8: ID tokens carry no mark of their own; these claims occur in them alone."""
    return (
        claims.get("jti", "").startswith("ID.")  # Okta
        or claims.get("typ") == "ID"  # Keycloak
        or not claims.keys().isdisjoint({"at_hash", "c_hash"})
        or ("nonce" in claims and not read_scopes(claims))
    )


def _require_time(claims: Mapping[str, Any], policy: SubjectTokenPolicy, now: float) -> None:
    for name in ("nbf", "iat"):
        if claims.get(name, now) > now + policy.clock_tolerance:
            raise SubjectTokenInvalid(f"the token's {name} lies in the future", remedy="Compare the clocks.")
    if has_expired(claims["exp"], policy.clock_tolerance, now):
        raise SubjectTokenExpired("the token has expired")


def _require_scopes(claims: Mapping[str, Any], policy: SubjectTokenPolicy, _now: float) -> None:
    if not read_scopes(claims).issuperset(policy.required_scopes):
        raise ScopeInsufficient("the token lacks a required scope", scopes=policy.required_scopes)


Demand = Callable[[Mapping[str, Any], SubjectTokenPolicy, float], None]
DEMANDS: Mapping[str, Demand] = {
    "issuer": _require_issuer,
    "audience": _require_audience,
    "client": _require_client,
    "binding": _require_binding,
    "kind": _require_access_token,
    "times": _require_time,
    "scopes": _require_scopes,
}
"""What is demanded of claims whose types are right, by name and in order; each is also a step of the doctor's."""


def read_texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_subject(value: Any) -> bool:
    return is_text(value) and len(value) <= MAX_SUBJECT and _CONTROL.search(value) is None


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < MAX_NUMBER


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "iss": is_text,
    "sub": is_subject,
    "aud": _is_texts,
    "jti": lambda value: isinstance(value, str),
    "scp": _is_texts,
    "scope": _is_texts,
    "acr": lambda value: isinstance(value, str),
    CONFIRMATION: is_confirmation,
    **dict.fromkeys(CLIENT_CLAIMS, is_text),
    **dict.fromkeys(("exp", "nbf", "iat", "auth_time"), is_number),
}
