"""What a process that serves does to itself before it begins."""

from __future__ import annotations

import asyncio
import gc

_YOUNG = 10_000  # objects more than there were: some 250 requests under way make as many
_OLDER = 5  # collections of one generation before the next one's turn


def calm_garbage_collection() -> None:
    """What is there by now stays, and what requests under way hold is not taken for garbage.

    Requests, connections and exchanges leave no circles behind, so there is little to find: with Python's own
    thresholds the collector takes up to 7 % of a request's time, with these next to nothing. All the same an
    old circle does not stay for ever: the oldest generation's turn comes every 250,000 objects, once a quarter
    of it is new. (Python 3.14.0 to 3.14.4 have two generations: there each young collection takes a fiftieth of
    the old one along.)
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)


def find_loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """That of uvloop where it is installed: about twice as fast."""
    try:
        import uvloop  # noqa: PLC0415 optional
    except ImportError:
        return None
    return uvloop.Loop
