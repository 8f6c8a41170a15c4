"""What the proxy promises of its speed."""

from __future__ import annotations

from dataclasses import dataclass

from .figures import KIB, MIB, Measure, added_microseconds, first_requests, kept, last, proven, share, spent
from .results import OURS


@dataclass(frozen=True)
class Target:
    text: str
    limit: float
    at_least: bool
    measure: Measure

    def met(self, measured: float) -> bool:
        return measured >= self.limit if self.at_least else measured <= self.limit


def _least(text: str, limit: float, measure: Measure) -> Target:
    return Target(text, limit, True, measure)


def _most(text: str, limit: float, measure: Measure) -> Target:
    return Target(text, limit, False, measure)


TARGETS = (
    _least("hit, by CPU time: share of Envoy with jwt_authn and its cache", 0.85, spent("hit")),
    _least("hit: share of Envoy with jwt_authn and its cache", 0.85, share("hit")),
    _least("hit: share of Envoy without that cache", 1.4, share("hit", "Envoy, no JWT cache")),
    _least("hit: share of Caddy", 1.2, share("hit", "Caddy")),
    _least("hit: share of fastify", 1.2, share("hit", "fastify http-proxy")),
    _least("hit: share of starlette + httpx", 20, share("hit", "starlette + httpx")),
    _least("hit: share of mitmproxy", 20, share("hit", "mitmproxy")),
    _most("p99 at half load: share of Envoy's", 1.5, share("paced", figure="p99")),
    _most("p99.9 at half load: share of Envoy's", 2, share("paced", figure="p999")),
    _most("added latency at p50 over direct, µs", 150, added_microseconds(OURS)),
    _least("100 MiB down: share of nginx", 0.5, share("download", "nginx")),
    _least("100 MiB up: share of nginx", 0.5, share("upload", "nginx")),
    _least("with a proof each: share of Envoy without that cache", 0.5, proven),
    _least("first requests, each with an exchange, a second of CPU time", 2_000, first_requests),
    _least("over callers' TLS, by CPU time: share of Envoy", 0.5, spent("tls")),
    _least("the same: share of nginx, which verifies nothing", 0.15, spent("tls", "nginx")),
    _least("with TLS towards the API, by CPU time: share of Envoy", 0.5, spent("tls-upstream")),
    _least("the same: share of nginx, which verifies nothing", 0.15, spent("tls-upstream", "nginx")),
    _least("a websocket's message, by CPU time: share of Envoy, which reads none", 0.3, spent("websocket")),
    _least("the same: share of nginx, which reads none", 0.2, spent("websocket", "nginx")),
    _least("1,000 routes: share of one", 0.9, kept("routes")),
    _least("many cached users: share of one", 0.9, kept("users")),
    _least("two workers: share of one", 1.8, kept("workers")),
    _most("memory when idle (RSS), MiB", 52, last("start", "resident", MIB)),
    _most("memory for each cached user, KiB (4 and the token)", 5, last("users", "memory_each", KIB)),
    _most("memory for each idle connection, KiB", 10, last("idle", "memory_each", KIB)),
    _most("start to ready, s", 1, last("start", "ready")),
)
