"""A hundred thousand cached users: their memory, and how long the loop stands still while they come and go.

No network: the caches are those that serve, tokens are as large as real ones, and time passes when it is told to.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import os
import resource
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from proxy.authentication.claims import SubjectTokenPolicy
from proxy.authentication.signing_keys import FetchedKeys, SigningKeys
from proxy.authentication.subject_token import SubjectToken
from proxy.authentication.verifier import Accepted, Verifier
from proxy.cache.access_tokens import AccessTokens
from proxy.cache.key import build_identity
from proxy.cache.revocation import Revocation
from proxy.cache.token_cache import TokenCache
from proxy.cache.user_revocations import UserRevocations
from proxy.config import models
from proxy.errors import ProxyError, SubjectTokenRefused
from proxy.exchange.token_exchange import AccessToken, TokenRequest, build_access_token
from proxy.runtime import PERIOD, Background
from proxy.server.process import calm_garbage_collection
from tests.support.issuer import AUDIENCE, NOW, Issuer, StillClock, make_body

USERS = 100_000
LONGEST = 0.010  # s of processor time between two turns of the loop
LISTED = 20  # of the longest turns of a phase
BETWEEN = 0.001  # s from one request to the next
WORK = 50_000  # bytes to hash: some 50 µs
SWEPT = round(PERIOD / BETWEEN)  # requests from one sweep to the next
HOUR, DAY = 3600.0, 86_400.0
TOKEN_SIZE = 1_100  # bytes of an access token: Okta's with a few claims of one's own
PAGE = os.sysconf("SC_PAGE_SIZE")


class Source:
    """An authorization server that answers at once, with tokens of an hour."""

    client_identity = ("https://example.okta.com/token", "0oa9", "client_secret_basic", "")

    def __init__(self, clock: StillClock) -> None:
        self._clock = clock
        self._number = 0
        self.refusing = False

    async def grant(self, request: TokenRequest, subject_token: SubjectToken | None) -> AccessToken:
        if self.refusing:
            raise SubjectTokenRefused("the session is over", remember_for=30, remember_by="subject_token")
        self._number += 1
        value = f"{self._number:0{TOKEN_SIZE}}"
        return build_access_token(value, "Bearer", self._clock.time() + HOUR, request.scopes)


class Identified:
    """Every user may be meant by an event, and none is revoked."""

    def identify(self, claims: Any) -> tuple[bytes, ...]:
        return (build_identifier(claims["uid"]),)

    async def look_up(self, identifiers: tuple[bytes, ...]) -> None: ...

    def require(self, identifiers: tuple[bytes, ...], issued_at: float | None, expires_at: float) -> None: ...


def build_identifier(user: str) -> bytes:
    return user.encode().ljust(32)


class Stage:
    """The caches of one process, and a route."""

    def __init__(self, users: int) -> None:
        self.clock, self.background, self.issuer = StillClock(), Background(), Issuer(alg="ES256")
        body = make_body(self.issuer.jwk)
        self.keys = SigningKeys(
            partial(_answer, FetchedKeys(body)), clock=self.clock, background=self.background
        )
        self.source, self.marks = Source(self.clock), UserRevocations(self.clock)
        self.begin(users)

    def begin(self, users: int) -> None:
        """Serve by a configuration of which nothing is known yet."""
        self.verifier = self._build_verifier(users)
        self.cache = TokenCache(models.Cache(max_entries=users), clock=self.clock, background=self.background)
        request = TokenRequest("okta", "token_exchange", audience=("api://orders",), scopes=("orders:read",))
        self.route = AccessTokens(request, self.source, self.cache)
        self.marks.follow(self.cache)

    def _build_verifier(self, users: int) -> Verifier:
        policy = SubjectTokenPolicy(self.issuer.issuer, AUDIENCE, algorithms=frozenset({"ES256"}))
        return Verifier(
            [Accepted("okta", policy, keys=self.keys)],
            clock=self.clock,
            background=self.background,
            build_identity=partial(build_identity, by="subject", ignore=frozenset()),
            size=users,
            revoked=Identified(),
        )

    def mint(self, first: int, users: int) -> list[str]:
        """Tokens of a day for users of their own, as Okta's look."""
        return [self._mint(number) for number in range(first, first + users)]

    def _mint(self, number: int) -> str:
        return self.issuer.mint(
            jti=f"AT.{number:043}",
            sub=f"user{number}@example.com",
            uid=name_user(number),
            exp=int(NOW + DAY),
            scp=["openid", "profile", "email", "orders:read"],
            groups=["Everyone", f"Team {number % 50}"],
            name=f"User {number} of Example",
        )

    async def request(self, token: str) -> AccessToken:
        """What a request costs the caches."""
        subject_token = self.verifier.recall(token) or await self.verifier.verify(token)
        return self.route.cached(subject_token) or await self.route.obtain(subject_token)

    async def settle(self) -> None:
        while len(self.background):
            await asyncio.sleep(0)


def name_user(number: int) -> str:
    """As Okta does."""
    return f"00u{number:017}"


async def _answer(value: Any) -> Any:
    return value


@dataclass(order=True)
class Turn:
    """Of the loop: its seconds of processor time, how much of that was the collector's, how often memory was new."""

    seconds: float = 0.0
    collecting: float = 0.0
    faults: int = 0

    def __str__(self) -> str:
        return f"{self.seconds * 1e3:.1f} ms ({self.collecting * 1e3:.1f} of it the collector, {self.faults} faults)"


@dataclass
class Turns:
    """The ``LISTED`` longest, and how many took longer than they may: a single one may be the machine's doing."""

    longest: list[Turn] = field(default_factory=lambda: [Turn()] * LISTED)
    long: int = 0

    def note(self, turn: Turn) -> None:
        self.long += turn.seconds > LONGEST
        if turn > self.longest[0]:
            heapq.heapreplace(self.longest, turn)

    def __str__(self) -> str:
        first, *others = sorted(self.longest, reverse=True)
        listed = " ".join(f"{turn.seconds * 1e3:.1f}" for turn in others)
        return f"{first}, {self.long} turns too long; then {listed}"


@dataclass
class Watch:
    """Watches the loop's turns while it runs, by processor time: what others do on the machine is not ours."""

    turns: Turns = field(default_factory=Turns)
    _collecting: float = 0.0
    _began: float = 0.0

    async def run(self) -> None:
        gc.callbacks.append(self._note_collection)
        try:
            while True:
                self._collecting, faults, began = 0.0, count_faults(), time.thread_time()
                await asyncio.sleep(0)
                seconds = time.thread_time() - began
                self.turns.note(Turn(seconds, self._collecting, count_faults() - faults))
        finally:
            gc.callbacks.remove(self._note_collection)

    def _note_collection(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        else:
            self._collecting += time.thread_time() - self._began


def count_faults() -> int:
    """Pages that this thread was the first to touch."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt


async def watch(work: Awaitable[None]) -> Turns:
    """The longest turns while ``work`` is done."""
    watching = Watch()
    task = asyncio.ensure_future(watching.run())
    await asyncio.sleep(0)
    await work
    await asyncio.sleep(0)
    task.cancel()
    return watching.turns


class Life:
    """The phases of a hundred thousand users' life, in order."""

    def __init__(self, users: int = USERS) -> None:
        self.stage = Stage(users)
        self.users = users
        self.tokens = self.stage.mint(0, users)
        self.others = self.stage.mint(users, users // 5)

    async def come(self) -> None:
        await self._ask(self.tokens)

    async def hit(self) -> None:
        await self._ask(self.tokens)

    async def are_looked_through(self) -> None:
        """By a full collection."""
        await asyncio.sleep(0)
        gc.collect()

    async def are_renewed(self) -> None:
        """At their next request, the exchanges in the background."""
        self.stage.clock.advance(HOUR / 2)
        await self._ask(self.tokens)
        await self.stage.settle()

    async def push_others_out(self) -> None:
        await self._ask(self.others)

    async def are_refused_upstream(self) -> None:
        """Every access token is, and a while later nobody knows of that any more."""
        for token in self.tokens:
            subject_token = self.stage.verifier.recall(token)
            access_token = self.stage.route.cached(subject_token)
            if subject_token is not None and access_token is not None:
                self.stage.route.reject(subject_token, access_token)
            self.stage.clock.advance(BETWEEN)
            await asyncio.sleep(0)
        await self._ask(self.tokens)
        self.stage.clock.advance(60)
        for token in self.tokens[:100]:
            subject_token = self.stage.verifier.recall(token)
            access_token = self.stage.route.cached(subject_token)
            if subject_token is not None and access_token is not None:
                self.stage.route.reject(subject_token, access_token)
            self.stage.clock.advance(BETWEEN)
            await asyncio.sleep(0)

    async def are_doubted(self) -> None:
        """A revocation may not have been heard."""
        self.stage.cache.doubt(60)
        await asyncio.sleep(0)
        self.stage.verifier.doubt()
        await asyncio.sleep(0)
        await self._ask(self.tokens[:1000])
        await self.stage.settle()

    async def end_together(self) -> None:
        """All entries end in one moment."""
        self.stage.clock.advance(2 * HOUR)
        len(self.stage.cache)
        await self._ask(self.others[:1000])

    async def are_refused(self) -> None:
        """By the authorization server, all within the time that it is remembered; then nobody knows of it any more."""
        self.stage.source.refusing = True
        await self._ask(self.tokens, BETWEEN / 5)
        self.stage.clock.advance(60)
        await self._ask(self.tokens[:1000])
        self.stage.source.refusing = False
        self.stage.clock.advance(60)

    async def come_back(self) -> None:
        await self._ask(self.tokens)

    async def are_left_by_a_reload(self) -> None:
        """The next configuration has caches of its own; those of before are closed as parts that retire do."""
        verifier, cache = self.stage.verifier, self.stage.cache
        self.stage.begin(self.users)
        self.stage.marks.leave(cache)
        await verifier.aclose()
        await cache.aclose()
        await asyncio.sleep(0)
        del verifier, cache
        await self._ask(self.tokens[: self.users // 5])

    async def are_revoked(self) -> None:
        """An event ends the access of each, known here or not; they are forgotten when no token is left of before."""
        for number in range(self.users):
            identifier = build_identifier(name_user(number))
            self.stage.marks.hear([Revocation("user", identifier, self.stage.clock.time())])
            self.stage.verifier.end(identifier)
            self.stage.clock.advance(BETWEEN)
            await asyncio.sleep(0)
        self.stage.clock.advance(2 * DAY)
        while len(self.stage.marks):
            await asyncio.sleep(0)

    async def _ask(self, tokens: Sequence[str], between: float = BETWEEN) -> None:
        for number, token in enumerate(tokens):
            with suppress(ProxyError):  # of which there are some where all are refused
                await self.stage.request(token)
            self.stage.clock.advance(between)
            if number % SWEPT == 0:
                self.stage.cache.expire(self.stage.clock.monotonic())
            await asyncio.sleep(0)


PHASES: Sequence[Callable[[Life], Awaitable[None]]] = (
    Life.come,
    Life.hit,
    Life.are_looked_through,
    Life.are_renewed,
    Life.push_others_out,
    Life.are_refused_upstream,
    Life.are_doubted,
    Life.end_together,
    Life.are_refused,
    Life.come_back,
    Life.are_looked_through,
    Life.are_left_by_a_reload,
    Life.are_revoked,
)


async def work_evenly() -> None:
    """The same little in each turn: what is longer than the others is the machine's doing."""
    for _ in range(USERS):
        sha256(bytes(WORK))
        await asyncio.sleep(0)


async def live(_: int) -> bool:
    """Whether no turn of the loop took longer than ``LONGEST``; the machine's own longest are told beside it."""
    life = Life(int(os.environ.get("USERS", USERS)))
    calm_garbage_collection()
    print(f"the machine by itself: {await watch(work_evenly())}", flush=True)
    before, longest = resident(), 0.0
    for phase in PHASES:
        turns = await watch(phase(life))
        longest = max(longest, *(turn.seconds for turn in turns.longest))
        print(f"users {phase.__name__.replace('_', ' ')}: {turns}", flush=True)
        if phase is Life.come:
            each = (resident() - before) / life.users - TOKEN_SIZE
            print(f"a user takes {each / 1024:.2f} KiB beside the tokens", flush=True)
    return longest <= LONGEST


def resident() -> int:
    """Bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
