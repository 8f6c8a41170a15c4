"""What the proxy promises of its speed, each beside what this run measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .results import OURS, PROVEN, REFERENCE, Results

KIB, MIB = 1024, 1024 * 1024


@dataclass(frozen=True)
class Target:
    text: str
    limit: float
    at_least: bool
    measure: Callable[[Results], float | None]

    def met(self, measured: float) -> bool:
        return measured >= self.limit if self.at_least else measured <= self.limit


def _share(text: str, limit: float, work: str, reference: str) -> Target:
    return Target(text, limit, True, lambda results: results.share(work, OURS, reference=reference))


def _most(text: str, limit: float, measure: Callable[[Results], float | None]) -> Target:
    return Target(text, limit, False, measure)


def _added_microseconds(results: Results) -> float | None:
    ours, direct = (results.median("single", peer, "p50") for peer in (OURS, "direct"))
    return None if ours is None or direct is None else (ours - direct) * 1e6


def _first_requests(results: Results) -> float | None:
    """How many one core makes, if it does nothing else."""
    seconds = results.median("misses", OURS, "cpu")
    return 1 / seconds if seconds else None


def _proven(results: Results) -> float | None:
    """Envoy verifies no proofs, but a signature for each request as well."""
    ours = results.median("proofs", PROVEN, "rate")
    theirs = results.median("hit", "Envoy, no JWT cache", "rate")
    return ours / theirs if ours and theirs else None


def _kept(work: str, figure: str = "rate") -> Callable[[Results], float | None]:
    """The large one's share of the small one's, which was measured first."""

    def measure(results: Results) -> float | None:
        peers = list(dict.fromkeys(sample.peer for sample in results.samples if sample.work == work))
        return results.share(work, peers[-1], figure, reference=peers[0]) if len(peers) > 1 else None

    return measure


def _last(work: str, figure: str, unit: float) -> Callable[[Results], float | None]:
    def measure(results: Results) -> float | None:
        values = [s.figures[figure] for s in results.samples if s.work == work and figure in s.figures]
        return values[-1] / unit if values else None

    return measure


def _spent(text: str, limit: float, work: str, reference: str) -> Target:
    def measure(results: Results) -> float | None:
        spread = results.efficiency(work, OURS, reference)
        return None if spread is None else spread.median

    return Target(text, limit, True, measure)


TARGETS = (
    _spent("hit, by CPU time: share of Envoy with jwt_authn and its cache", 0.85, "hit", REFERENCE),
    _share("hit: share of Envoy with jwt_authn and its cache", 0.85, "hit", REFERENCE),
    _share("hit: share of Envoy without that cache", 1.4, "hit", "Envoy, no JWT cache"),
    _share("hit: share of Caddy", 1.2, "hit", "Caddy"),
    _share("hit: share of fastify", 1.2, "hit", "fastify http-proxy"),
    _share("hit: share of starlette + httpx", 20, "hit", "starlette + httpx"),
    _share("hit: share of mitmproxy", 20, "hit", "mitmproxy"),
    _most("p99 at half load: share of Envoy's", 1.5, lambda results: results.share("paced", OURS, "p99")),
    _most("p99.9 at half load: share of Envoy's", 2, lambda results: results.share("paced", OURS, "p999")),
    _most("added latency at p50 over direct, µs", 150, _added_microseconds),
    _share("100 MiB down: share of nginx", 0.5, "download", "nginx"),
    _share("100 MiB up: share of nginx", 0.5, "upload", "nginx"),
    Target("with a proof each: share of Envoy without that cache", 0.5, True, _proven),
    Target("first requests, each with an exchange, a second of CPU time", 2_000, True, _first_requests),
    _spent("over callers' TLS, by CPU time: share of Envoy", 0.5, "tls", REFERENCE),
    _spent("the same: share of nginx, which verifies nothing", 0.15, "tls", "nginx"),
    _spent("with TLS towards the API, by CPU time: share of Envoy", 0.5, "tls-upstream", REFERENCE),
    _spent("the same: share of nginx, which verifies nothing", 0.15, "tls-upstream", "nginx"),
    _spent(
        "a websocket's message, by CPU time: share of Envoy, which reads none", 0.3, "websocket", REFERENCE
    ),
    _spent("the same: share of nginx, which reads none", 0.2, "websocket", "nginx"),
    Target("1,000 routes: share of one", 0.9, True, _kept("routes")),
    Target("many cached users: share of one", 0.9, True, _kept("users")),
    Target("two workers: share of one", 1.8, True, _kept("workers")),
    _most("memory when idle, MiB", 60, _last("start", "memory", MIB)),
    _most("memory for each cached user, KiB (4 and the token)", 5, _last("users", "memory_each", KIB)),
    _most("memory for each idle connection, KiB", 10, _last("idle", "memory_each", KIB)),
    _most("start to ready, s", 1, _last("start", "ready", 1)),
)
