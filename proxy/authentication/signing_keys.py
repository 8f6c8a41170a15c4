"""The signing keys of one issuer: always at hand, refreshed off the request path.

A set that was good is kept while the server cannot be reached, or says nonsense. A flood of unknown key
ids costs one fetch in ``COOLDOWN`` and never touches the keys that are there.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import SystemRandom

from ..errors import AuthorizationServerUnavailable, ProxyError, SubjectTokenInvalid
from ..jose.jwk import SigningKey, parse_jwk_set
from ..runtime import Background, Clock

COOLDOWN = 30.0  # s between fetches for unknown key ids, counted from the attempt (K-04)
MIN_AGE, MAX_AGE = 60.0, 86400.0  # s: what a Cache-Control may ask for at least and at most (K-06)
DEFAULT_AGE = 600.0  # s, where the answer says nothing: a key withdrawn in an emergency is gone soon
MAX_STALE = 86400.0  # s that a set outlives its last successful fetch (K-07)
REFRESH_AT = 0.8  # of the age: the new set is there before the old one ends (K-09)
RETRY_AT_MOST = 30.0  # s between attempts while the server cannot be reached …
COLD_RETRY_AT_MOST = 5.0  # s … and while there are no keys at all, for nobody is served until there are

log = logging.getLogger(__name__)
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class FetchedKeys:
    """A JWK set as received; ``max_age`` is that of its Cache-Control, in seconds."""

    body: bytes = field(repr=False)
    max_age: float | None = None


@dataclass(frozen=True, slots=True)
class SigningKeysStatus:
    """For readiness and the status page; times are seconds from now."""

    ready: bool
    key_ids: tuple[str | None, ...]
    refusals: tuple[str, ...]
    age: float | None
    next_refresh: float | None
    failures: int
    error: str | None


class SigningKeys:
    """The keys of one issuer; ``generation`` changes when what was verified before is to be verified again.

    ``sleep`` waits that many seconds between refreshes; ``issuer`` is whose keys the log says they are.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[FetchedKeys]],
        *,
        clock: Clock,
        background: Background,
        issuer: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.generation = 0
        self._fetch = fetch
        self._clock = clock
        self._background = background
        self._issuer = issuer
        self._sleep = sleep
        self._started = False
        self._keys: Mapping[str | None, SigningKey] = {}
        self._refusals: tuple[str, ...] = ()
        self._flight: asyncio.Task[None] | None = None
        self._fetched_at = -math.inf
        self._refetched_at = -math.inf
        self._next_refresh: float | None = None
        self._age = DEFAULT_AGE
        self._failures = 0  # in a row
        self._failed = 0  # in all
        self._error: str | None = None

    @property
    def ready(self) -> bool:
        return bool(self._keys)

    def find(self, kid: str | None, alg: str) -> SigningKey | None:
        """The key at hand; a token without ``kid`` gets the only one there is, or none."""
        if kid is not None:
            key = self._keys.get(kid)
        else:
            key = next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return key if key is not None and alg in key.algorithms else None

    async def get(self, kid: str | None, alg: str) -> SigningKey:
        """The key, after one throttled fetch where it is unknown.

        Raises SubjectTokenInvalid where the issuer has no such key, AuthorizationServerUnavailable where we
        could not look: the token may be good.
        """
        if (key := self.find(kid, alg)) is not None:
            return key
        self._refuse_hopeless(kid)
        await self._refetch()
        if (key := self.find(kid, alg)) is not None:
            return key
        if self._error is not None:
            raise self._build_unavailable("the signing keys cannot be fetched")
        raise SubjectTokenInvalid("the issuer has no key of the token's kid and alg")

    def start(self) -> None:
        """Fetch now, and keep refreshing in the background; once started, further calls do nothing."""
        if self._started:
            return
        self._started = True
        self._background.spawn(self._keep_fresh(), name="signing-keys")

    def outdate(self) -> None:
        """What was verified before counts no more, as where a key is there no longer."""
        self.generation += 1

    def status(self) -> SigningKeysStatus:
        now = self._clock.monotonic()
        return SigningKeysStatus(
            ready=self.ready,
            key_ids=tuple(self._keys),
            refusals=self._refusals,
            age=now - self._fetched_at if self.ready else None,
            next_refresh=None if self._next_refresh is None else self._next_refresh - now,
            failures=self._failed,
            error=self._error,
        )

    def _refuse_hopeless(self, kid: str | None) -> None:
        """No fetch brings a second key of this kid, or makes an ambiguous choice clear."""
        if self._keys and (kid is None or kid in self._keys):
            raise SubjectTokenInvalid("the issuer has no usable key of the token's kid and alg")

    async def _refetch(self) -> None:
        """Join the fetch under way, or begin one unless the last was begun a moment ago."""
        if self._flight is None:
            now = self._clock.monotonic()
            if now - self._refetched_at < COOLDOWN:
                raise self._build_unavailable("the token's kid is unknown, and the keys were just fetched")
            self._refetched_at = now
        await self._refresh()

    async def _refresh(self) -> None:
        """One fetch for all who wait; a waiter who leaves does not end it."""
        if self._flight is None:
            self._flight = self._background.spawn(self._load(), name="signing-keys-fetch", awaited=True)
        await asyncio.shield(self._flight)

    async def _load(self) -> None:
        try:
            fetched = await self._fetch()
            key_set = parse_jwk_set(fetched.body)
        except Exception as error:  # noqa: BLE001  whatever it is, the keys at hand stay and the refresh goes on
            self._note_failure(error)
        else:
            self._replace(key_set.keys, key_set.refusals)
            age = DEFAULT_AGE if fetched.max_age is None else fetched.max_age
            self._age = min(max(age, MIN_AGE), MAX_AGE)
        finally:
            self._flight = None

    def _replace(self, keys: tuple[SigningKey, ...], refusals: tuple[str, ...]) -> None:
        if not self._keys:
            self._refetched_at = -math.inf  # the first set is the fetch at start, whoever asked for it
        gone = any(key not in keys for key in self._keys.values())
        if refusals and refusals != self._refusals:
            log.warning(
                "some signing keys are not usable", extra={"issuer": self._issuer, "refusals": refusals}
            )
        self._keys = {key.kid: key for key in keys}
        self._refusals = refusals
        self._fetched_at = self._clock.monotonic()
        self._failures = 0
        self._error = None
        if gone:
            self.outdate()

    def _note_failure(self, error: Exception) -> None:
        # The text of a foreign exception may hold what it choked on; ours never hold a secret.
        self._error = str(error) if isinstance(error, ProxyError | ValueError) else type(error).__name__
        self._failures += 1
        self._failed += 1
        log.warning("signing keys were not refreshed", extra={"issuer": self._issuer, "error": self._error})
        if self._keys and self._clock.monotonic() - self._fetched_at > MAX_STALE:
            self._keys = {}
            self.outdate()

    async def _keep_fresh(self) -> None:
        while True:
            await self._refresh()
            delay = self._get_delay()
            self._next_refresh = self._clock.monotonic() + delay
            await self._sleep(delay)

    def _get_delay(self) -> float:
        """Seconds to the next refresh, jittered so that replicas do not come all at once."""
        if self._failures == 0:
            return self._age * REFRESH_AT * _random.uniform(0.9, 1.0)
        longest = RETRY_AT_MOST if self._keys else COLD_RETRY_AT_MOST
        return min(2.0 ** min(self._failures, 10), longest) * _random.uniform(0.5, 1.0)

    def _build_unavailable(self, reason: str) -> AuthorizationServerUnavailable:
        now = self._clock.monotonic()
        ends = [
            at for at in (self._refetched_at + COOLDOWN, self._next_refresh) if at is not None and at > now
        ]
        return AuthorizationServerUnavailable(
            reason,
            remedy="Compare jwks_url with what the issuer publishes, and see that it can be reached from here.",
            retry_after=max(1.0, min(ends, default=1.0) - now),
        )
