"""The working parts of one configuration, and their life: started, serving, retired, closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .authentication.signing_keys import SigningKeys
from .authentication.verifier import Verifier
from .authorizer.authorizer import Authorizer
from .cache.revocation import Revocation
from .cache.revoker import Revoker
from .cache.token_cache import TokenCache
from .cache.used_proofs import UsedProofs
from .cache.user_revocations import UserRevocations
from .config import models
from .exchange.authorization_server import AuthorizationServer
from .exchange.record import ExchangeRecord
from .gateway.gateway import Gateway
from .gateway.in_flight import InFlight
from .gateway.open_streams import OpenStreams
from .gateway.own_paths import OwnPaths
from .gateway.published_documents import Documents
from .gateway.upstream_request import ByCertificate
from .http.bearer import Schemes
from .observability.metrics import Gauges, ServerGauges
from .runtime import Background, Clock, Sweep
from .upstream import UpstreamPool

if TYPE_CHECKING:
    from .cache.shared.shared_cache import SharedCache
    from .signals.receivers import Receivers


class SharedPart(ABC):
    """Used by the parts of one configuration and the next, and closed when the last of them lets go."""

    users = 0

    def hold(self) -> None:
        self.users += 1

    async def release(self) -> None:
        self.users -= 1
        if not self.users:
            await self.aclose()

    @abstractmethod
    async def aclose(self) -> None: ...


class Issuer(SharedPart):
    """An authorization server with its signing keys, and the tasks that keep them fresh."""

    def __init__(
        self,
        name: str,
        settings: models.AuthorizationServer,
        *,
        clock: Clock,
        on_exchange: Callable[[ExchangeRecord], None],
    ) -> None:
        self.settings = settings
        self.background = Background()
        self._clock = clock
        self.server = AuthorizationServer(
            name, settings, clock=clock, background=self.background, on_exchange=on_exchange
        )
        self.keys = SigningKeys(
            self.server.fetch_signing_keys,
            clock=clock,
            background=self.background,
            issuer=settings.issuer,
        )
        self._started = False

    def gauges(self) -> ServerGauges:
        server, keys = self.server.status(), self.keys.status()
        return ServerGauges(
            breaker_open=server.breaker_open,
            held_for=server.held_for,
            in_flight=server.in_flight,
            waiting=server.waiting,
            rate_limit_remaining=server.rate_limit.remaining if server.rate_limit else None,
            keys_age=keys.age,
            keys_failures=keys.failures,
            assertion_left=self._left("assertion"),
            certificate_left=self._left("certificate"),
        )

    def _left(self, kind: str) -> float | None:
        """Seconds until what vouches for us ends, below 0 where it has; None where that is nothing of ``kind``."""
        validity = self.server.validity()
        if validity is None or validity.kind != kind or validity.expires_at is None:
            return None
        return validity.expires_at - self._clock.time()

    def start(self) -> None:
        """Begin to keep the keys fresh; once."""
        if not self._started:
            self._started = True
            self.keys.start()

    async def aclose(self) -> None:
        await self.background.aclose()
        await self.server.aclose()


class TokenStore(SharedPart):
    """The cache of access tokens with the flights that fill it, and what replicas share of it."""

    def __init__(self, settings: models.Cache, *, users: UserRevocations, clock: Clock) -> None:
        self.background = Background()
        self._users = users
        self.shared = _build_shared(settings, users, clock, self.background)
        self.cache = TokenCache(
            settings, clock=clock, background=self.background, shared=self.shared, users=users
        )
        self._started = False

    def start(self) -> None:
        """Begin to hear what is revoked, also by other replicas; once."""
        if self._started:
            return
        self._started = True
        self._users.follow(self.cache)
        if self.shared is not None:
            self.shared.revocations.listen(self._users)

    def take_over(self, before: TokenStore) -> None:
        """Tell other replicas what ``before``, which ends, could not tell them yet."""
        if self.shared is not None and before.shared is not None:
            self.shared.revocations.take_over(before.shared.revocations)

    async def aclose(self) -> None:
        self._users.leave(self.cache)
        await self.background.aclose()
        await self.cache.aclose()
        if self.shared is not None:
            await self.shared.aclose()


def _build_shared(
    settings: models.Cache, users: UserRevocations, clock: Clock, background: Background
) -> SharedCache | None:
    if settings.shared is None:
        return None
    # Who shares nothing has nothing of it in memory.
    from .cache.shared.shared_cache import build_shared_cache  # noqa: PLC0415

    return build_shared_cache(
        settings.shared, max_ttl=settings.max_ttl, users=users, clock=clock, background=background
    )


@dataclass(eq=False)
class Parts:
    """What serves requests, from ``start`` until ``retire`` and the end of the last request.

    ``required_scopes`` are those of the users' tokens, by route. ``authorizer`` is None where no gateway asks.
    ``on_start`` is what other parts that serve now shall not notice before. ``orgs`` are who send events, by their
    issuers: of them we want the keys.
    """

    settings: models.Settings
    sweep: Sweep
    issuers: Mapping[str, Issuer]
    store: TokenStore
    verifiers: tuple[Verifier, ...]
    upstreams: Mapping[str, UpstreamPool]
    bound: Mapping[str, ByCertificate]
    gateway: Gateway
    authorizer: Authorizer | None
    documents: Documents | None
    users: UserRevocations
    revoker: Revoker
    streams: OpenStreams
    orgs: Mapping[str, Issuer]
    receivers: Receivers | None
    schemes: Schemes
    used_proofs: UsedProofs
    required_scopes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    on_start: Sequence[Callable[[], None]] = ()
    in_flight: InFlight = field(default_factory=InFlight)

    def __post_init__(self) -> None:
        self.own_paths = (
            OwnPaths(self.documents, self.receivers) if self.documents or self.receivers else None
        )
        for shared in self._shared_parts():
            shared.hold()

    def _shared_parts(self) -> tuple[SharedPart, ...]:
        return self.store, *self.issuers.values(), *self.orgs.values()

    def start(self) -> None:
        self.sweep.add(self.store.cache.expire)
        self.sweep.start()
        self.store.start()
        self.users.follow(self)
        for org in self.orgs.values():
            org.start()
        for action in self.on_start:
            action()
        for entry in self.settings.subject_tokens:
            if not entry.introspect:
                self.issuers[entry.authorization_server].start()

    @property
    def ready(self) -> bool:
        """Whether a user of at least one issuer can be served."""
        return not self.settings.subject_tokens or self.verifiers[0].ready

    def unready_reasons(self) -> list[str]:
        """Why not, or why only some: one line for each issuer whose keys are not there."""
        return [
            f"{issuer}: signing keys are not there: {status.error or 'not fetched yet'}"
            for issuer, status in self.verifiers[0].status().items()
            if not status.ready
        ]

    def gauges(self) -> Gauges:
        connections = {
            (name, state): sum(getattr(one, state) for one in (upstream, *self.bound[name].upstreams))
            for name, upstream in self.upstreams.items()
            for state in ("active", "idle", "waiting")
        }
        cache, shared = self.store.cache, self.store.shared
        return Gauges(
            lookups=cache.lookups,
            entries=len(cache),
            connections=connections,
            evictions=cache.evictions,
            renewals=cache.renewals,
            shared_failures=None if shared is None else shared.failures,
            revocations_owed=None if shared is None else shared.revocations.owed,
            revocations_unheard_for=None if shared is None else shared.revocations.unheard_for,
            user_revocations=len(self.users) if self.receivers else None,
            servers={name: issuer.gauges() for name, issuer in self.issuers.items()},
        )

    async def retire(self) -> None:
        """Wait until nobody uses them any more, then close what no other parts use. Cancelled, close at once."""
        try:
            await self._disused()
        finally:
            self.sweep.stop()
            for upstream in self.upstreams.values():
                await upstream.aclose()
            for routes in self.bound.values():
                await routes.aclose()
            self.users.leave(self)
            for verifier in self.verifiers:
                await verifier.aclose()
            for shared in self._shared_parts():
                await shared.release()

    def hear(self, revocations: Sequence[Revocation]) -> int:
        """Of a user whose access has ended no verdict on a token is left, and no stream. Nothing is cached here."""
        for revocation in revocations:
            if revocation.kind == "user":
                for verifier in self.verifiers:
                    verifier.end(revocation.key)
                self.streams.end(revocation.key)
        return 0

    def doubt(self, seconds: float) -> None:
        """A revocation may not have been heard: who may be meant is looked up again."""
        for verifier in self.verifiers:
            verifier.doubt()

    async def _disused(self) -> None:
        await self.in_flight.wait_for_end()
        if self.store.users > 1:  # requests of other parts may have joined an exchange that was begun here
            await self.store.cache.flights.landed()
