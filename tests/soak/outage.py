"""An authorization server that vanishes under load: cached users do not notice, the others are told in time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import count

from proxy.demo import Demo
from tests.support.proxy import Running, running
from tests.support.raw_client import connected

KNOWN, CALLERS = 20, 16
DEADLINE = 5.0  # s: the authorization server's timeout, within which everybody is answered
RECOVERY = 5.0  # s from its return until new users are served again
PAUSE = 0.01  # s between two requests of one caller


def build_request(token: str) -> bytes:
    return f"GET /orders HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


class Outage:
    """Counts of answers to ``known`` and ``new`` users, and the longest anybody waited."""

    def __init__(self, demo: Demo, proxy: Running) -> None:
        self.demo = demo
        self.proxy = proxy
        self.known: Counter[int] = Counter()
        self.new: Counter[int] = Counter()
        self.longest = 0.0
        self._numbers = count()
        self._tokens = [demo.mint(f"known{number}") for number in range(KNOWN)]

    async def call(self, token: str, answers: Counter[int]) -> int:
        began = time.monotonic()
        async with connected(self.proxy.server.address) as client:
            await client.send(build_request(token))
            status = (await client.response()).status
        self.longest = max(self.longest, time.monotonic() - began)
        answers[status] += 1
        return status

    async def call_known(self) -> None:
        for token in self._tokens:
            await self.call(token, self.known)

    async def call_new(self) -> int:
        return await self.call(self.demo.mint(f"new{next(self._numbers)}"), self.new)

    async def load(self, until: float) -> None:
        while time.monotonic() < until:
            await self.call(self._tokens[next(self._numbers) % KNOWN], self.known)
            await self.call_new()
            await asyncio.sleep(PAUSE)

    async def recover(self) -> float:
        """Seconds until a new user is served again."""
        began = time.monotonic()
        while await self.call_new() != 200:
            await asyncio.sleep(PAUSE)
        return time.monotonic() - began


async def vanish(seconds: float) -> bool:
    """The authorization server is gone for ``seconds``; whether everybody got what is promised (F-01)."""
    async with Demo() as demo, running(demo.settings()) as proxy:
        outage = Outage(demo, proxy)
        await outage.call_known()
        await demo.authorization_server.stop()
        until = time.monotonic() + seconds
        await asyncio.gather(*(outage.load(until) for _ in range(CALLERS)))
        await demo.authorization_server.start()
        recovery = await outage.recover()
    print(f"known {dict(outage.known)} new {dict(outage.new)}")
    print(f"longest {outage.longest:.2f} s, recovered after {recovery:.2f} s")
    told = set(outage.new) <= {200, 503, 504}
    return set(outage.known) == {200} and told and outage.longest < DEADLINE + 0.5 and recovery < RECOVERY
