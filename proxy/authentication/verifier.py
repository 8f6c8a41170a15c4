"""Whose tokens callers may present: each accepted issuer with its own keys and demands.

A verdict is found by the end of its token's signature, which nobody can guess, and all of the token is compared;
it holds as long as the token and the key that it was verified with. That an authorization server said yes by
introspection is not remembered: those who use it want to be able to withdraw a token at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from mypy_extensions import mypyc_attr

from ..errors import (
    ExchangeError,
    IssuerUnknown,
    ProxyError,
    ScopeInsufficient,
    SubjectTokenExpired,
    SubjectTokenInvalid,
    clear_tracebacks,
)
from ..jose.jwk import SigningKey
from ..jose.jws import MAX_SIZE, UnverifiedJws
from ..runtime import Background, Clock, keep_from_collector, spread
from .binding import Binding, read_binding
from .claims import SharedValues, SubjectTokenPolicy, read_actors, read_scopes
from .index import Index
from .introspection import verify_introspection
from .segments import SecondChances
from .signing_keys import SigningKeys, SigningKeysStatus
from .subject_token import (
    SubjectToken,
    UnverifiedToken,
    parse_subject_token,
    refuse_org_token,
    verify_subject_token,
)

# The closest entry's failure is reported: the later a check stands, the closer the token came. A server
# that could not be asked comes first of all, for the token may be good.
CLOSEST: Final = (ExchangeError, ScopeInsufficient, SubjectTokenExpired, ProxyError)

# Characters that a verdict is found by: 256 bits, as many as the shortest signature has, and soon hashed.
_END: Final = 43


class Revoked(Protocol):
    """Whose subject tokens count no more, although they have not ended."""

    def identify(self, claims: Mapping[str, Any]) -> tuple[bytes, ...]:
        """By what the user of verified claims may be meant; nothing where nobody could tell of that user."""
        ...

    async def look_up(self, identifiers: tuple[bytes, ...]) -> None:
        """Learn what other replicas know of that user, if they can be asked."""
        ...

    def require(self, identifiers: tuple[bytes, ...], issued_at: float | None, expires_at: float) -> None:
        """Raises SubjectTokenError for a token that was issued before its user's access was revoked (epoch s)."""
        ...


@dataclass(frozen=True)
class Accepted:
    """One entry of accepted tokens: verified with ``keys``, or else by ``introspect``."""

    authorization_server: str
    policy: SubjectTokenPolicy
    keys: SigningKeys | None = None
    introspect: Callable[[str], Awaitable[Mapping[str, Any]]] | None = None


@mypyc_attr(native_class=False)
@dataclass(eq=False, slots=True, kw_only=True)
class KnownToken(SubjectToken):
    """A token with its verdict: good until ``ends_at`` by the wall clock and ``deadline`` by the monotonic one.

    The deadline keeps a token that has ended from coming back when the wall clock is set back. Of its claims those are
    at hand that requests are judged by.
    """

    scopes: frozenset[str] = field()
    acr: str | None = field()
    auth_time: float | None = field()
    issued_at: float | None = field()
    actors: tuple[str, ...] = field(repr=False)
    ends_at: float
    deadline: float
    keys: SigningKeys = field(repr=False)
    generation: int
    used: bool = False


class Verifier:
    """Verifies subject tokens and remembers, for at most ``size`` of them, that they were good.

    ``revoked`` is asked where a token is verified, not where its verdict is remembered: ``end`` takes that back.
    """

    def __init__(
        self,
        accepted: Sequence[Accepted],
        *,
        clock: Clock,
        background: Background,
        build_identity: Callable[[str, Mapping[str, Any]], bytes],
        size: int = 10_000,
        revoked: Revoked | None = None,
    ) -> None:
        self._accepted = tuple(accepted)
        self._revoked = revoked
        self._identified: Index[str] = Index()
        self._time, self._monotonic = clock.time, clock.monotonic
        self._background = background
        self._build_identity = build_identity
        self._known: SecondChances[str, KnownToken] = SecondChances(size)  # by the ends of the tokens
        self._segments, self._number = self._known.segments, self._known.number
        self._values = SharedValues()
        self._told_of: set[SigningKeys] = set()  # of issuers whose users may be meant by an event
        self._flights: dict[tuple[int, str], asyncio.Task[Mapping[str, Any]]] = {}

    @property
    def ready(self) -> bool:
        """Whether tokens of at least one issuer can be verified."""
        return any(entry.keys is None or entry.keys.ready for entry in self._accepted)

    def status(self) -> Mapping[str, SigningKeysStatus]:
        """The state of the signing keys by issuer."""
        return {
            entry.policy.issuer: entry.keys.status() for entry in self._accepted if entry.keys is not None
        }

    def recall(self, token: str, *, bound: bool = False) -> SubjectToken | None:
        """The remembered verdict, if it still holds: no I/O, no parsing.

        Tokens that are bound to a key only for those who ask for its possession then, and say so by ``bound``.
        """
        name = token[-_END:]
        known = self._segments[hash(name) % self._number].get(name)  # ``of``, without a call
        if known is None or known.value != token or known.generation != known.keys.generation:
            return None
        if known.binding is not None and not bound:
            return None
        if self._time() >= known.ends_at or self._monotonic() >= known.deadline:
            return None
        known.used = True
        return known

    def end(self, identifier: bytes) -> None:
        """The access of that user was revoked: what is remembered of the tokens counts no more."""
        for name in self._identified.find(identifier):
            self._forget(name)

    def doubt(self) -> None:
        """A revocation may not have been heard: the tokens of issuers whose users may be meant are verified again."""
        for keys in self._told_of:
            keys.outdate()

    async def aclose(self) -> None:
        """Nothing is remembered any more; many verdicts are not all let go in one turn of the event loop."""
        await spread(self._forget, self._known.drain())

    async def verify(self, token: str, *, bound: bool = False) -> SubjectToken:
        """The verified token, or the refusal of the entry that came closest to accepting it; ``bound`` as ``recall``'s.

        Raises SubjectTokenError, or ExchangeError where the issuer could not be asked; nothing else.
        """
        try:
            subject_token = await self._verify(token)
        except ProxyError:
            raise
        except Exception as error:
            # RFC 8725 §3.1: what we did not foresee is no reason to let a token pass, nor to answer 500.
            raise SubjectTokenInvalid(f"verification met {type(error).__name__}") from error
        if subject_token.binding is not None and not bound:
            raise SubjectTokenInvalid("the token is bound to a key and cannot be used as a bearer token")
        return subject_token

    def require_unrevoked(self, subject_token: SubjectToken) -> None:
        """Once more, for those who waited since it was verified. Raises SubjectTokenError."""
        if self._revoked is not None and subject_token.identifiers:
            self._revoked.require(
                subject_token.identifiers, subject_token.issued_at, subject_token.expires_at
            )

    def choose(self, token: UnverifiedToken | None) -> Sequence[Accepted]:
        """The entries of the token's issuer: each issuer's keys speak for that issuer alone (RFC 8725 §3.8).

        None is for an opaque token. Raises IssuerUnknown, or SubjectTokenInvalid for an issuer without keys.
        """
        if token is None:
            return [entry for entry in self._accepted if entry.introspect is not None]
        chosen = [entry for entry in self._accepted if entry.policy.issuer == token.issuer]
        if not any(entry.introspect for entry in chosen):
            refuse_org_token(token, id_tokens=any(entry.policy.id_tokens for entry in chosen))
        if not chosen:
            expected = ", ".join(sorted({entry.policy.issuer for entry in self._accepted}))
            raise IssuerUnknown(
                f"the token's issuer is not accepted: expected {expected}, got {token.issuer[:256]!r}",
                remedy="Compare the authorization server's issuer mode (custom domain or not) with issuer.",
            )
        return chosen

    async def _verify(self, token: str) -> SubjectToken:
        unverified = self._parse(token)
        refusals: list[ProxyError] = []
        for entry in self.choose(unverified):
            try:
                if entry.keys is not None and unverified is not None:
                    return await self._verify_locally(token, unverified, entry, entry.keys)
                return await self._introspect(token, entry)
            except ProxyError as refusal:
                clear_tracebacks(refusal)
                refusals.append(refusal)
        raise _closest(refusals)

    def _parse(self, token: str) -> UnverifiedToken | None:
        """None for an opaque token, where there is an entry that could know it."""
        try:
            return parse_subject_token(token)
        except SubjectTokenInvalid:
            if len(token) > MAX_SIZE or all(entry.introspect is None for entry in self._accepted):
                raise
            return None

    async def _verify_locally(
        self, token: str, unverified: UnverifiedToken, entry: Accepted, keys: SigningKeys
    ) -> SubjectToken:
        key = await find_key(unverified.jws, entry.policy.algorithms, keys)
        generation = keys.generation  # of before the user is looked up: what changes meanwhile counts
        claims = verify_subject_token(unverified, key, entry.policy, self._time())
        identifiers = await self._require_unrevoked(claims)
        ends_at = claims["exp"] + entry.policy.clock_tolerance
        known = KnownToken(
            value=token,
            authorization_server=entry.authorization_server,
            issuer=entry.policy.issuer,  # the very one that the claims name, and one text for all users
            subject=claims["sub"],
            kept_claims=None,
            identity=self._build_identity(token, claims),
            expires_at=claims["exp"],
            identifiers=identifiers,
            binding=_read_binding(claims, entry.policy),
            scopes=self._values.share(read_scopes(claims)),
            acr=self._values.share(claims.get("acr")),
            auth_time=claims.get("auth_time"),
            issued_at=claims.get("iat"),
            actors=self._values.share(read_actors(claims)),
            ends_at=ends_at,
            deadline=self._monotonic() + ends_at - self._time(),
            keys=keys,
            generation=generation,
        )
        self._remember(known)
        return known

    async def _introspect(self, token: str, entry: Accepted) -> SubjectToken:
        answer = await self._ask(token, entry)
        claims = verify_introspection(answer, entry.policy, self._time())
        identifiers = await self._require_unrevoked(claims)
        return SubjectToken(
            value=token,
            authorization_server=entry.authorization_server,
            issuer=entry.policy.issuer,
            subject=claims["sub"],
            kept_claims=claims,
            identity=self._build_identity(token, claims),
            expires_at=claims["exp"],
            identifiers=identifiers,
            binding=_read_binding(claims, entry.policy),
        )

    async def _ask(self, token: str, entry: Accepted) -> Mapping[str, Any]:
        """One question at a time for each token and entry; no caller's departure ends it for the others."""
        flight = (id(entry), token)
        task = self._flights.get(flight)
        if task is None:
            task = self._background.spawn(_call(entry, token), name="introspection", awaited=True)
            self._flights[flight] = task
            task.add_done_callback(lambda _: self._flights.pop(flight))
        return await asyncio.shield(task)

    async def _require_unrevoked(self, claims: Mapping[str, Any]) -> tuple[bytes, ...]:
        """By what the token's user may be meant from now on; from the last check on nobody is waited for.

        Raises SubjectTokenError where the user's access was revoked.
        """
        if self._revoked is None:
            return ()
        identifiers = self._revoked.identify(claims)
        if identifiers:
            await self._revoked.look_up(identifiers)
            self._revoked.require(identifiers, claims.get("iat"), claims["exp"])
        return identifiers

    def _remember(self, known: KnownToken) -> None:
        keep_from_collector(known, known.identifiers)
        name = known.value[-_END:]
        self._forget(name)
        leaving = self._known.find_leaving(name)
        if leaving is not None:
            self._forget(leaving)
        self._known.put(name, known)
        self._identified.add(name, known.identifiers)
        if known.identifiers:
            self._told_of.add(known.keys)

    def _forget(self, name: str) -> None:
        known = self._known.of(name).pop(name, None)
        if known is not None:
            self._identified.discard(name, known.identifiers)


async def find_key(jws: UnverifiedJws, algorithms: Collection[str], keys: SigningKeys) -> SigningKey:
    """The key that ``jws`` says it is signed with. Raises as ``SigningKeys.get`` does."""
    if jws.alg not in algorithms:
        raise SubjectTokenInvalid("the token's alg is not allowed")  # before it can cause a fetch
    return await keys.get(jws.kid, jws.alg)


def _read_binding(claims: Mapping[str, Any], policy: SubjectTokenPolicy) -> Binding | None:
    return read_binding(claims, tolerance=policy.clock_tolerance, nonce=policy.dpop_nonce)


async def _call(entry: Accepted, token: str) -> Mapping[str, Any]:
    if entry.introspect is None:
        raise SubjectTokenInvalid("the token is opaque, and its issuer's tokens are not introspected")
    return await entry.introspect(token)


def _closest(refusals: Sequence[ProxyError]) -> ProxyError:
    return next(refusal for kind in CLOSEST for refusal in refusals if isinstance(refusal, kind))
