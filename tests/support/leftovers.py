"""What is left in memory of something that is over, as long as no garbage collector comes."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Awaitable, Callable

PATIENCE = 5.0  # s: until whatever is under way must have ended
TIMES = 4
# asyncio's own selector transport is not among them: before Python 3.12 it refers to itself (python/cpython#100348).
WATCHED = (
    "proxy.", "httptools.", "uvicorn.", "_asyncio.", "asyncio.locks.", "asyncio.sslproto.", "_ssl.",
    "uvloop.loop.PseudoSocket", "uvloop.loop.SSLProtocol", "uvloop.loop.TCPTransport", "uvloop.loop._SSL",
)  # fmt: skip


async def leftovers(
    visit: Callable[[], Awaitable[object]], *, patience: float = PATIENCE, kept: tuple[str, ...] = ()
) -> dict[str, int]:
    """Objects of ours and of what we build on, by type, of which each of several ``visit`` leaves one or more.

    Types whose names begin with one of ``kept`` may stay.
    """
    await visit()  # what is made once and kept does not count
    await asyncio.sleep(0)
    gc.freeze()  # what there is by now, garbage or not, is not looked at
    gc.disable()
    try:
        await asyncio.gather(*(visit() for _ in range(TIMES)))
        return await settle(patience, kept)
    finally:
        gc.enable()
        gc.unfreeze()


async def settle(patience: float, kept: tuple[str, ...] = ()) -> dict[str, int]:
    """What there still is when nothing more goes away."""
    end = time.monotonic() + patience
    while (left := count(kept)) and time.monotonic() < end:
        await asyncio.sleep(0.01)
    return left


def count(kept: tuple[str, ...] = ()) -> dict[str, int]:
    """Of what was made since ``gc.freeze``."""
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in map(type, gc.get_objects()))
    found = Counter(name for name in names if name.startswith(WATCHED) and not name.startswith(kept))
    return {name: number for name, number in found.items() if number >= TIMES}
