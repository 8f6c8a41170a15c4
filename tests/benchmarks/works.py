"""The work that every peer is given, one function for each; growth, which is ours alone, stands in ``growth``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from .load.events import read_events
from .load.transfer import download, upload
from .load.websocket import send_messages
from .load.wrk import Load, run_wrk
from .peers import Secured
from .peers.ours import Ours
from .processes import Running
from .results import OURS, REFERENCE, REFERENCES, Results
from .stage import Stage

Figures = Mapping[str, float]
EXCHANGING = frozenset(
    {OURS, REFERENCE}
)  # first requests cost something only where tokens are verified and kept
BESIDE = frozenset({OURS, *REFERENCES})
_fresh = itertools.count()  # no two files of new users hold the same


@dataclass(frozen=True)
class Scale:
    """How long, how often, how many: full or quick."""

    seconds: float
    repetitions: int
    new_users: int
    readers: int
    cached_users: int
    idle: int


FULL = Scale(seconds=2, repetitions=5, new_users=5_000, readers=200, cached_users=100_000, idle=10_000)
QUICK = Scale(seconds=1, repetitions=2, new_users=1_000, readers=50, cached_users=2_000, idle=1_000)


@dataclass(frozen=True)
class Work:
    name: str
    title: str
    measure: Callable[[Stage, Running, Scale, Results], Figures]
    fewer: int = 0  # repetitions less than the scale's; once at least
    peers: frozenset[str] | None = None
    secured: Secured | None = None


def measure_requests(running: Running, load: Load, seconds: float) -> Figures:
    """One run of wrk, with the CPU time the proxy spent on each request."""
    before = running.cpu_seconds()
    run = run_wrk(running.port, load, seconds)
    spent = running.cpu_seconds() - before
    answered = run["requests"] - run["refused"]
    if not answered:
        raise OSError(f"no request was answered: {run}")
    return {
        "rate": answered / run["seconds"],
        "p50": run["p50"],
        "p99": run["p99"],
        "p999": run["p999"],
        "cpu": spent / answered,
        "memory": running.memory(),
        "failed": run["refused"] + run["broken"],
    }


def _hot(stage: Stage) -> Load:
    return Load(stage.token_file("hot", [stage.user]))


def hit(stage: Stage, running: Running, scale: Scale, results: Results) -> Figures:
    return measure_requests(running, _hot(stage), scale.seconds)


def asked(stage: Stage, running: Running, scale: Scale, results: Results) -> Figures:
    """What one core answers to gateways that ask as Envoy does."""
    (ours,) = (peer for peer in stage.peers if isinstance(peer, Ours) and peer.name == OURS)
    load = replace(_hot(stage), path="/envoy/small")
    return measure_requests(replace(running, port=ours.authorizer_port), load, scale.seconds)


def tls(stage: Stage, running: Running, scale: Scale, results: Results) -> Figures:
    return measure_requests(running, replace(_hot(stage), secure=True), scale.seconds)


def post(stage: Stage, running: Running, scale: Scale, results: Results) -> Figures:
    load = Load(_hot(stage).tokens, path="/upload", method="POST", body=16 * 1024)
    return measure_requests(running, load, scale.seconds)


def single(stage: Stage, running: Running, scale: Scale, results: Results) -> Figures:
    return measure_requests(running, Load(_hot(stage).tokens, connections=1), scale.seconds)


def paced(stage: Stage, running: Running, scale: Scale, results: Results) -> Figures:
    """Half of what the slower of Envoy and us can do, so that both stand the same rate easily."""
    most = [results.median("hit", peer, "rate") or 4_000 for peer in (OURS, REFERENCE)]
    figures = measure_requests(running, Load(_hot(stage).tokens, rate=min(most) / 2), scale.seconds)
    if figures["rate"] < 0.8 * min(most) / 2:
        raise OSError(f"cannot hold {min(most) / 2:,.0f} requests a second")
    return figures


def mixed(stage: Stage, running: Running, scale: Scale, results: Results) -> Figures:
    hot = stage.token_file("known", stage.issuer.mint_many("known", 100))
    fresh = stage.token_file("fresh", stage.issuer.mint_many(f"mixed{next(_fresh)}-", 1_000))
    run_wrk(running.port, Load(hot), 1)  # the hundred become known
    return measure_requests(running, Load(hot, fresh=fresh), scale.seconds)


def misses(stage: Stage, running: Running, scale: Scale, results: Results) -> Figures:
    new = stage.token_file("new", stage.issuer.mint_many(f"new{next(_fresh)}-", scale.new_users))
    return measure_requests(running, Load(new, once=True), 20)


def _transfer(running: Running, run: Callable[[], Figures]) -> Figures:
    before = running.cpu_seconds()
    figures = run()
    return {
        "rate": figures["bytes"] / figures["seconds"],
        "cpu": running.cpu_seconds() - before,
        "memory": running.memory(),
    }


def big_download(stage: Stage, running: Running, scale: Scale, results: Results) -> Figures:
    return _transfer(running, lambda: download(running.port, "/big", stage.user))


def big_upload(stage: Stage, running: Running, scale: Scale, results: Results) -> Figures:
    return _transfer(running, lambda: upload(running.port, "/upload", stage.user, stage.folder / "big"))


def events(stage: Stage, running: Running, scale: Scale, results: Results) -> Figures:
    return read_events(running.port, "/events", stage.user, scale.readers, 2)


def websocket(stage: Stage, running: Running, scale: Scale, results: Results) -> Figures:
    figures = send_messages(running.port, "/echo", stage.user, 32, scale.seconds, running.cpu_seconds)
    return {**figures, "memory": running.memory()}


WORKS = (
    Work("hit", "Small JSON answer, 32 connections, one known user", hit),
    Work(
        "asked",
        "The authorizer alone, asked as Envoy asks, 32 connections",
        asked,
        fewer=3,
        peers=frozenset({OURS}),
    ),
    Work("single", "The same over one connection", single, fewer=3),
    Work(
        "paced",
        "The same over 32 connections, held at half of what the slower of Envoy and us does",
        paced,
        fewer=1,
    ),
    Work("tls", "The same over 32 kept TLS connections", tls, fewer=1, peers=BESIDE, secured="caller"),
    Work("tls-upstream", "The same with TLS towards the API", hit, fewer=1, peers=BESIDE, secured="upstream"),
    Work(
        "websocket",
        "A message through a websocket to an echo and back, 32 websockets",
        websocket,
        fewer=1,
        peers=BESIDE,
    ),
    Work("post", "POST of 16 KiB, 32 connections", post, fewer=3),
    Work("download", "100 MiB down, one connection", big_download, fewer=2),
    Work("upload", "100 MiB up, one connection", big_upload, fewer=2),
    Work("events", "Server-sent events to many readers", events, fewer=4),
    Work("mixed", "Every hundredth request a new user's", mixed, fewer=3, peers=EXCHANGING),
    Work(
        "misses",
        "First requests of new users (Envoy verifies, we also exchange)",
        misses,
        fewer=2,
        peers=EXCHANGING,
    ),
)
