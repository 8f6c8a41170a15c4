"""Purges by replicas over one store."""

import asyncio
from collections.abc import Callable

from proxy.cache.key import build_owner
from proxy.cache.shared.keys import build_stream_name

from ...support.replicas import ALICE, BOB, KEYS, Replica

ALICE_OWNER = build_owner(ALICE.issuer, ALICE.subject)


BOB_OWNER = build_owner(BOB.issuer, BOB.subject)


STREAM = build_stream_name(KEYS[0])


async def purge(replica: Replica, user=ALICE) -> int:
    return await replica.cache.purge(user.issuer, user.subject)


async def fill(*running: Replica) -> None:
    """Alice is known to the first by its own exchange, to the others by what it shares."""
    for replica in running:
        await replica.hearing.look()
        await replica.get(ALICE)
        await replica.settle()
    assert [replica.source.calls for replica in running] == [1] + [0] * (len(running) - 1)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
