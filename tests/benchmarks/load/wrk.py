"""Many small requests, by wrk with one thread."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .. import install

ANSWER = (
    0.5  # ms that an answer takes, about: what is left of a connection's time between two requests is pause
)
SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Load:
    """One shape of traffic. ``rate`` (per second) holds wrk back by a random pause before each request.

    ``secure`` is over TLS, on connections that are kept; who answers is not verified.
    """

    tokens: Path
    fresh: Path | None = None
    path: str = "/small"
    method: str = "GET"
    body: int | None = None
    connections: int = 32
    once: bool = False
    rate: float | None = None
    secure: bool = False


def run_wrk(port: int, load: Load, seconds: float) -> dict[str, float]:
    """Figures of one run: whole answers (``requests``) in ``seconds``; ``p50``, ``p99``, ``p999`` in s; failures."""
    program = install.find_program("wrk", "wrk")
    command = [program, "-t1", f"-c{load.connections}", f"-d{seconds:.0f}", "--timeout", "5s", "-s", SCRIPT]
    command.append(f"{'https' if load.secure else 'http'}://127.0.0.1:{port}{load.path}")
    environment = os.environ | install.library_path() | _environment(load)
    done = subprocess.run(
        list(map(str, command)),
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds + 20,
        check=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def _environment(load: Load) -> dict[str, str]:
    values = {
        "BENCH_TOKENS": load.tokens,
        "BENCH_FRESH": load.fresh,
        "BENCH_METHOD": load.method,
        "BENCH_BODY": load.body,
        "BENCH_ONCE": 1 if load.once else None,
        "BENCH_DELAY": load.rate and round(2 * (1000 * load.connections / load.rate - ANSWER)),
    }
    return {name: str(value) for name, value in values.items() if value is not None}
