"""The README's table: what several runs show of ours, beside those that a reader knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .figures import KIB, MIB, Measure, added_microseconds, first_requests, kept, last, median, share, spent
from .results import NOT_COMPILED, OURS, Results
from .table import show_range

BEGIN, END = "<!-- measured -->\n", "<!-- end -->"


@dataclass(frozen=True)
class Row:
    """``measures`` in the order in which ``text`` names them; ``unit`` stands behind each."""

    text: str
    measures: tuple[Measure, ...]
    unit: str = ""

    def show(self, runs: Sequence[Results]) -> str:
        return "; ".join(self._show(measure, runs) for measure in self.measures)

    def _show(self, measure: Measure, runs: Sequence[Results]) -> str:
        found = [value for run in runs if (value := measure(run)) is not None]
        return show_range(found) + (self.unit if found else "")


ROWS = (
    Row("CPU time a request of a known user", (median("hit", "cpu", 1e-6),), " µs"),
    Row(
        "requests for the same CPU time, of Envoy with `jwt_authn` and its JWT cache; of nginx, which verifies nothing",
        (spent("hit"), spent("hit", "nginx")),
    ),
    Row("CPU time a request where nothing is compiled", (median("hit", "cpu", 1e-6, NOT_COMPILED),), " µs"),
    Row(
        "the same requests as a share of that Envoy's; of nginx's",
        (spent("hit", ours=NOT_COMPILED), spent("hit", "nginx", NOT_COMPILED)),
    ),
    Row(
        "requests/s, of that Envoy; of Envoy without that cache; of Caddy; of fastify",
        tuple(share("hit", name) for name in ("Envoy", "Envoy, no JWT cache", "Caddy", "fastify http-proxy")),
    ),
    Row(
        "the same, of the starlette + httpx proxy that anybody would write",
        (share("hit", "starlette + httpx"),),
    ),
    Row(
        "p99 and p99.9 at half load, of Envoy's",
        (share("paced", figure="p99"), share("paced", figure="p999")),
    ),
    Row(
        "latency added to a direct call over one connection, p50; by nginx; by Envoy",
        (added_microseconds(OURS), added_microseconds("nginx"), added_microseconds("Envoy")),
        " µs",
    ),
    Row("first requests (verify, exchange, cache, forward) a second of CPU time", (first_requests,)),
    Row(
        "requests for the same CPU time over callers' TLS, of Envoy; of nginx",
        (spent("tls"), spent("tls", "nginx")),
    ),
    Row(
        "the same with TLS towards the API",
        (spent("tls-upstream"), spent("tls-upstream", "nginx")),
    ),
    Row(
        "a websocket's messages for the same CPU time, of Envoy; of nginx, which pass them on unread",
        (spent("websocket"), spent("websocket", "nginx")),
    ),
    Row(
        "100 MiB down, of nginx; for the same CPU time",
        (share("download", "nginx"), spent("download", "nginx")),
    ),
    Row("100 MiB up, of nginx; for the same CPU time", (share("upload", "nginx"), spent("upload", "nginx"))),
    Row(
        "memory when idle (RSS); its share of it where others share pages (PSS)",
        (last("start", "resident", MIB), last("start", "memory", MIB)),
        " MiB",
    ),
    Row(
        "for each cached user with tokens of 1 KB; for each idle connection",
        (last("users", "memory_each", KIB), last("idle", "memory_each", KIB)),
        " KiB",
    ),
    Row("start to ready", (last("start", "ready"),), " s"),
    Row(
        "two workers, each held to 30 % of a core, of one; 1,000 routes, of one; 100,000 users in turn, of one",
        (kept("workers"), kept("routes"), kept("users")),
    ),
)


def build_summary(runs: Sequence[Results]) -> str:
    """In Markdown, one line for each of ``ROWS``."""
    lines = [f"| {row.text} | {row.show(runs)} |" for row in ROWS]
    return "\n".join(("| | measured |", "|---|---|", *lines)) + "\n"


def write_summary(runs: Sequence[Results], file: Path) -> None:
    """Puts it between the two marks that ``file`` has. Raises ValueError where it has none."""
    before, begin, rest = file.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{file} has no {BEGIN.strip()} with {END} behind it")
    file.write_text(f"{before}{BEGIN}\n{build_summary(runs)}\n{END}{after}")
