"""What the proxy promises of its speed, each beside what this run measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


def _spent(text: str, limit: float, reference: str) -> Target:
    def measure(results: Results) -> float | None:
        spread = results.efficiency("hit", OURS, reference)
        return None if spread is None else spread.median

    return Target(text, limit, True, measure)


TARGETS = (
    _spent("hit, by CPU time: share of Envoy with jwt_authn and its cache", 0.85, REFERENCE),
    _share("hit: share of Envoy with jwt_authn and its cache", 0.85, "hit", REFERENCE),
    _share("hit: share of Envoy without that cache", 1.4, "hit", "Envoy, no JWT cache"),
    _share("hit: share of Caddy", 1.2, "hit", "Caddy"),
    _share("hit: share of fastify", 1.2, "hit", "fastify http-proxy"),
    _share("hit: share of starlette + httpx", 20, "hit", "starlette + httpx"),
    _share("hit: share of mitmproxy", 20, "hit", "mitmproxy"),
    _most("p99 at one rate: share of Envoy's", 1.5, lambda results: results.share("paced", OURS, "p99")),
    _most("added latency at p50 over direct, µs", 150, _added_microseconds),
    _share("100 MiB down: share of nginx", 0.5, "download", "nginx"),
    _share("100 MiB up: share of nginx", 0.5, "upload", "nginx"),
    Target("with a proof each: share of Envoy without that cache", 0.5, True, _proven),
    Target("exchanges a second", 1_000, True, lambda results: results.median("misses", OURS, "rate")),
    Target("1,000 routes: share of one", 0.9, True, _kept("routes")),
    Target("many cached users: share of one", 0.9, True, _kept("users")),
    Target("two workers: share of one", 1.8, True, _kept("workers")),
    _most("memory when idle, MiB", 60, _last("start", "memory", MIB)),
    _most("memory for each cached user, KiB (4 and the token)", 5, _last("users", "memory_each", KIB)),
    _most("memory for each idle connection, KiB", 10, _last("idle", "memory_each", KIB)),
    _most("start to ready, s", 1, _last("start", "ready", 1)),
)


def check(results: Results) -> Iterator[tuple[Target, float | None]]:
    """Each target with what was measured; None where it was not."""
    return ((target, target.measure(results)) for target in TARGETS)
