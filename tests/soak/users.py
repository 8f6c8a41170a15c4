"""A hundred thousand cached users: their memory, and how long the loop stands still while they come and go.

No network: the caches are those that serve, tokens are as large as real ones, and time passes when it is told to.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from proxy.authentication.claims import SubjectTokenPolicy
from proxy.authentication.signing_keys import FetchedKeys, SigningKeys
from proxy.authentication.subject_token import SubjectToken
from proxy.authentication.verifier import Accepted, Verifier
from proxy.cache.access_tokens import AccessTokens
from proxy.cache.key import build_identity
from proxy.cache.token_cache import TokenCache
from proxy.config import models
from proxy.exchange.token_exchange import AccessToken, TokenRequest, build_access_token
from proxy.runtime import Background
from proxy.server.process import calm_garbage_collection
from tests.support.issuer import AUDIENCE, NOW, Issuer, StillClock, make_body

USERS = 100_000
LONGEST = 0.010  # s of processor time between two turns of the loop
BETWEEN = 0.001  # s from one request to the next
HOUR, DAY = 3600.0, 86_400.0
TOKEN_SIZE = 1_100  # bytes of an access token: Okta's with a few claims of one's own
PAGE = os.sysconf("SC_PAGE_SIZE")


class Source:
    """An authorization server that answers at once, with tokens of an hour."""

    client_identity = ("https://example.okta.com/token", "0oa9", "client_secret_basic", "")

    def __init__(self, clock: StillClock) -> None:
        self._clock = clock
        self._number = 0

    async def grant(self, request: TokenRequest, subject_token: SubjectToken | None) -> AccessToken:
        self._number += 1
        value = f"{self._number:0{TOKEN_SIZE}}"
        return build_access_token(value, "Bearer", self._clock.time() + HOUR, request.scopes)


class Identified:
    """Every user may be meant by an event, and none is revoked."""

    def identify(self, claims: Any) -> tuple[bytes, ...]:
        return (claims["uid"].encode().ljust(32),)

    async def look_up(self, identifiers: tuple[bytes, ...]) -> None: ...

    def require(self, identifiers: tuple[bytes, ...], issued_at: float | None, expires_at: float) -> None: ...


class Stage:
    """The caches of one process, and a route."""

    def __init__(self, users: int) -> None:
        self.clock, self.background, self.issuer = StillClock(), Background(), Issuer(alg="ES256")
        body = make_body(self.issuer.jwk)
        self.keys = SigningKeys(
            partial(_answer, FetchedKeys(body)), clock=self.clock, background=self.background
        )
        self.verifier = self.build_verifier(users)
        self.cache = TokenCache(models.Cache(max_entries=users), clock=self.clock, background=self.background)
        request = TokenRequest("okta", "token_exchange", audience=("api://orders",), scopes=("orders:read",))
        self.route = AccessTokens(request, Source(self.clock), self.cache)

    def build_verifier(self, users: int) -> Verifier:
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
            uid=f"00u{number:017}",
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


async def _answer(value: Any) -> Any:
    return value


@dataclass
class Pause:
    """The longest turn of the loop: its seconds of processor time, and how much of that was the collector's.

    ``long`` is how many turns took longer than they may: a single one may be the machine's doing.
    """

    seconds: float = 0.0
    collecting: float = 0.0
    long: int = 0

    def __str__(self) -> str:
        longest = f"{self.seconds * 1e3:.1f} ms ({self.collecting * 1e3:.1f} ms of it the collector)"
        return f"{longest}, {self.long} turns too long"


@dataclass
class Watch:
    """Watches the loop's turns while it runs, by processor time: what others do on the machine is not ours."""

    longest: Pause = field(default_factory=Pause)
    _collecting: float = 0.0
    _began: float = 0.0

    async def run(self) -> None:
        gc.callbacks.append(self._note_collection)
        try:
            while True:
                began, self._collecting = time.thread_time(), 0.0
                await asyncio.sleep(0)
                seconds = time.thread_time() - began
                long = self.longest.long + (seconds > LONGEST)
                if seconds > self.longest.seconds:
                    self.longest = Pause(seconds, self._collecting)
                self.longest.long = long
        finally:
            gc.callbacks.remove(self._note_collection)

    def _note_collection(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        else:
            self._collecting += time.thread_time() - self._began


async def watch(work: Awaitable[None]) -> Pause:
    """The longest pause while ``work`` is done."""
    watching = Watch()
    task = asyncio.ensure_future(watching.run())
    await asyncio.sleep(0)
    await work
    await asyncio.sleep(0)
    task.cancel()
    return watching.longest


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

    async def come_back(self) -> None:
        await self._ask(self.tokens)

    async def are_left_by_a_reload(self) -> None:
        """The next configuration has verdicts of its own."""
        before, self.stage.verifier = self.stage.verifier, self.stage.build_verifier(self.users)
        await before.aclose()
        await self._ask(self.tokens[:1000])

    async def _ask(self, tokens: Sequence[str]) -> None:
        for token in tokens:
            await self.stage.request(token)
            self.stage.clock.advance(BETWEEN)
            await asyncio.sleep(0)


PHASES: Sequence[Callable[[Life], Awaitable[None]]] = (
    Life.come,
    Life.hit,
    Life.are_renewed,
    Life.push_others_out,
    Life.are_refused_upstream,
    Life.are_doubted,
    Life.end_together,
    Life.come_back,
    Life.are_left_by_a_reload,
)


async def live(_: int) -> bool:
    """Whether no turn of the loop took longer than ``LONGEST``."""
    life = Life(int(os.environ.get("USERS", USERS)))
    calm_garbage_collection()
    before, longest = resident(), 0.0
    for phase in PHASES:
        pause = await watch(phase(life))
        longest = max(longest, pause.seconds)
        print(f"users {phase.__name__.replace('_', ' ')}: {pause}", flush=True)
        if phase is Life.come:
            each = (resident() - before) / life.users - TOKEN_SIZE
            print(f"a user takes {each / 1024:.2f} KiB beside the tokens", flush=True)
    return longest <= LONGEST


def resident() -> int:
    """Bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
