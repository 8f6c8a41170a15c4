"""``python -m tests.soak [WORK …] [--seconds N]``: too long for the suite; 1 on a failure.

departures: callers who leave at random moments, five times as many as the pool has places, for N seconds.
slow: slowhttptest (Debian's package) in its four modes for N seconds each, while a probe must be answered in 0.1 s.
outage: the authorization server is gone for N seconds under load.
pings: a websocket that pings and does not read for N seconds, while a probe must be answered in 1 s.
slow-bodies: trickling request bodies, twice as many as the pool has places, of three kinds for N seconds each, while a
probe must be answered in 1 s.
trailers: a trailer of 96 MiB, then 2 kB/s in tiny pieces for N seconds, while a probe must be answered in 1 s.
signals: 10,000 events a minute for N seconds, then forged ones as fast as they are answered, beside requests.
users: 100,000 cached users come, are renewed, revoked and go, while no turn of the loop may take more than 10 ms.
grpc: bidirectional streams for N seconds, of which some take nothing, while a call must be answered in 1 s.
waves: 20 waves of 300 unfinished heads and 500 short connections, which must not add up in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
from pathlib import Path

from .churn import churn
from .grpc_streams import stream
from .outage import vanish
from .pings import ping
from .signals import signal
from .slow import attack
from .slow_bodies import drip
from .trailers import trail
from .users import live
from .waves import wave


async def slow(seconds: int) -> bool:
    program = shutil.which("slowhttptest")
    if program is None:
        print("slowhttptest is not installed", file=sys.stderr)
        return False
    with tempfile.TemporaryDirectory() as folder:
        return await attack(program, Path(folder), seconds)


WORKS = {
    "departures": churn,
    "slow": slow,
    "outage": vanish,
    "grpc": stream,
    "pings": ping,
    "signals": signal,
    "slow-bodies": drip,
    "trailers": trail,
    "users": live,
    "waves": wave,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("works", nargs="*", metavar="WORK", help=" or ".join(WORKS))
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    if unknown := set(arguments.works) - set(WORKS):
        parser.error(f"no work {', '.join(unknown)}")
    logging.getLogger().addHandler(logging.NullHandler())  # thousands of refusals, all of them meant
    passed = True
    for name in arguments.works or WORKS:
        print(f"== {name}", flush=True)
        passed = asyncio.run(WORKS[name](arguments.seconds)) and passed
    sys.exit(not passed)


if __name__ == "__main__":
    main()
