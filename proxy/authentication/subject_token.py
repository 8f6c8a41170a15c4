"""The user's token as presented, verified (RFC 7519, RFC 9068, RFC 8725).

Not checked here: where keys come from, and whether the issuer is one of ours.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from mypy_extensions import mypyc_attr

from ..config.urls import OKTA_DOMAINS
from ..errors import ScopeInsufficient, StepUpRequired, SubjectTokenInvalid
from ..jose.jwk import SigningKey
from ..jose.jws import (
    UnverifiedJws,
    parse_jws,
    parse_small_claims,
    peek_claims,
    read_claims,
    verify_payload,
    verify_signature,
)
from .binding import Binding
from .claims import SubjectTokenPolicy, parse_claims, read_actors, read_scopes, verify_claims

# RFC 8725 §3.11: an allow-list. Proofs, logout tokens and security events are JWTs of the same keys.
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
OKTA_ORG_TYPE = "application/okta-internal-at+jwt"


@mypyc_attr(native_class=False)
@dataclass(eq=False, slots=True)
class SubjectToken:
    """A verified subject token; ``expires_at`` is epoch seconds.

    ``kept_claims`` are None where ``value`` has them: they are read again when somebody asks, for kept they would be a
    third of what a user takes in memory. ``identity`` (32 bytes) tells apart what the cache must tell apart, ``digest``
    (32 bytes) one token from every other. ``identifiers`` are by what events may mean the user
    (``subject_identifier``). ``actor`` is who acts for the user, by a verified token that came along, ``context`` what
    of the request a token is to be made for (JSON). ``binding`` is what its caller must show beside it, None for a
    bearer token. ``notes`` are what others keep as long as the token is kept, by whose they are.
    """

    value: str = field(repr=False)
    authorization_server: str
    issuer: str
    subject: str = field(repr=False)
    kept_claims: Mapping[str, Any] | None = field(repr=False)
    identity: bytes = field(repr=False)
    expires_at: float
    identifiers: tuple[bytes, ...] = field(default=(), repr=False)
    actor: SubjectToken | None = field(default=None, kw_only=True, repr=False)
    context: str | None = field(default=None, kw_only=True, repr=False)
    digest: bytes = field(init=False, repr=False)
    binding: Binding | None = field(default=None, repr=False)
    notes: dict[object, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.digest = sha256(self.value.encode()).digest()
        if self.actor is not None:
            self.digest = sha256(self.digest + self.actor.digest).digest()
        if self.context is not None:
            self.digest = sha256(self.digest + self.context.encode()).digest()

    @property
    def claims(self) -> Mapping[str, Any]:
        """All that was verified."""
        return read_claims(self.value) if self.kept_claims is None else self.kept_claims

    @property
    def scopes(self) -> frozenset[str]:
        return read_scopes(self.claims)

    @property
    def acr(self) -> str | None:
        """How strongly the user authenticated."""
        acr: str | None = self.claims.get("acr")
        return acr

    @property
    def auth_time(self) -> float | None:
        """When the user authenticated (epoch seconds)."""
        auth_time: float | None = self.claims.get("auth_time")
        return auth_time

    @property
    def issued_at(self) -> float | None:
        """Epoch seconds, by the issuer's clock."""
        issued_at: float | None = self.claims.get("iat")
        return issued_at

    @property
    def actors(self) -> tuple[str, ...]:
        """The subjects of those who act for the user by this token alone, the latest first."""
        return read_actors(self.claims)

    def exchanged_for(self, value: str) -> SubjectToken:
        """``value`` in its place: the same user's by another server, which says nothing of what was verified here."""
        return replace(self, value=value, kept_claims=self.claims)

    def act_by(self, actor: SubjectToken) -> SubjectToken:
        """The same token with ``actor`` beside it: another in all that depends on who acts."""
        return SubjectToken(
            self.value,
            self.authorization_server,
            self.issuer,
            self.subject,
            self.kept_claims,
            sha256(self.identity + actor.identity + actor.authorization_server.encode()).digest(),
            min(self.expires_at, actor.expires_at),
            self.identifiers,
            actor=actor,
        )

    def within(self, context: str) -> SubjectToken:
        """The same token for requests of this ``context`` alone."""
        return SubjectToken(
            self.value,
            self.authorization_server,
            self.issuer,
            self.subject,
            self.kept_claims,
            sha256(self.identity + context.encode()).digest(),
            self.expires_at,
            self.identifiers,
            actor=self.actor,
            context=context,
        )


@mypyc_attr(native_class=False)
@dataclass(slots=True)
class UnverifiedToken:
    """A well-formed JWT: good for choosing the key by ``issuer``, and for nothing else.

    ``strict`` is whether its payload was seen already to read in one way only.
    """

    jws: UnverifiedJws
    claims: Mapping[str, Any] = field(repr=False)
    issuer: str
    strict: bool = False


def parse_subject_token(value: str) -> UnverifiedToken:
    """SubjectTokenInvalid for whatever is not a well-formed JWT with the claims' right types."""
    jws = parse_jws(value)
    try:
        small = parse_small_claims(jws)
    except SubjectTokenInvalid:
        small = None  # refused behind its signature: whose it is decides who is asked about it
    claims = parse_claims(peek_claims(jws) if small is None else small)
    _require_type(jws.header)
    return UnverifiedToken(jws, claims, claims["iss"], strict=small is not None)


def verify_subject_token(
    token: UnverifiedToken, key: SigningKey, policy: SubjectTokenPolicy, now: float
) -> Mapping[str, Any]:
    """The verified claims; ``now`` is epoch seconds.

    Raises SubjectTokenInvalid, SubjectTokenExpired or ScopeInsufficient.
    """
    verify_signature(token.jws, key, policy.algorithms)
    if not token.strict:
        verify_payload(token.jws)
    verify_claims(token.claims, policy, now)
    return token.claims


def require_scopes(subject_token: SubjectToken, scopes: Collection[str]) -> None:
    """ScopeInsufficient unless the token has all of ``scopes``."""
    if not subject_token.scopes.issuperset(scopes):
        raise ScopeInsufficient("the subject token lacks a scope of the route", scopes=tuple(scopes))


def require_authentication(
    subject_token: SubjectToken, acr_values: Sequence[str], max_age: float | None, now: float
) -> None:
    """StepUpRequired unless the user authenticated by one of ``acr_values``, at most ``max_age`` s ago (RFC 9470).

    Okta's ``acr`` values are those like ``urn:okta:loa:2fa:any``. An empty ``acr_values`` asks for none.
    """
    auth_time = subject_token.auth_time
    if acr_values and subject_token.acr not in acr_values:
        reason = "the user's authentication was not strong enough"
    elif max_age is not None and (auth_time is None or now - auth_time > max_age):
        reason = "the user's authentication is too old"
    else:
        return
    age = None if max_age is None else int(max_age)
    raise StepUpRequired(reason, acr_values=tuple(acr_values), max_age=age)


def refuse_org_token(token: UnverifiedToken, *, id_tokens: bool = False) -> None:
    """SubjectTokenInvalid for an access token of Okta's org authorization server: nobody else can verify it.

    With ``id_tokens`` its ID tokens pass, whose keys are public.
    """
    is_access_token = str(token.jws.header.get("typ")).lower() == OKTA_ORG_TYPE
    if is_access_token or (not id_tokens and is_org_issuer(token.issuer)):
        raise SubjectTokenInvalid(
            "org_authorization_server_token: Okta's org authorization server made this token, and nobody but "
            "Okta can verify it",
            remedy="Let the caller use a custom authorization server (…/oauth2/default), or set introspect.",
        )


@lru_cache(maxsize=64)
def is_org_issuer(issuer: str) -> bool:
    """Whether ``issuer`` is an Okta org itself rather than a custom authorization server in it."""
    try:
        url = urlsplit(issuer)
    except ValueError:
        return False
    return (url.hostname or "").endswith(OKTA_DOMAINS) and not url.path.startswith("/oauth2/")


def _require_type(header: Mapping[str, Any]) -> None:
    if "typ" not in header:
        return
    typ = header["typ"]
    if not isinstance(typ, str) or typ.lower() not in TYPES | {OKTA_ORG_TYPE}:
        raise SubjectTokenInvalid("the token's typ is not that of an access token")
