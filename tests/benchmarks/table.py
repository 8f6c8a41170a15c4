"""The results of one run, or of several, as Markdown.

Of one run each cell is a median, and each ratio of CPU times has its spread over the rounds. Of several runs each
cell is the range of their medians: the least and the most, never the best alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from . import targets
from .figures import KIB, MIB
from .growth import GROWTH
from .results import REFERENCES, Results, Spread
from .works import WORKS, Work

TITLES = {
    "routes": "Growth: routes",
    "proofs": "Growth: callers with proofs (ES256)",
    "users": "Growth: cached users",
    "idle": "Growth: idle connections",
    "workers": "Growth: workers",
}


@dataclass(frozen=True)
class Column:
    """One figure of a peer at a work, as ``measure`` finds it in a run; ``unit`` is what the column counts in."""

    title: str
    measure: Callable[[Results, str, str], float | Spread | None]
    unit: float = 1

    def show(self, runs: Sequence[Results], work: str, peer: str) -> str:
        found = [value for run in runs if (value := self.measure(run, work, peer)) is not None]
        if len(found) == 1 and isinstance(found[0], Spread) and found[0].least < found[0].most:
            median, least, most = (number(part / self.unit) for part in found[0])
            return f"{median} ({least} to {most})"
        medians = [value.median if isinstance(value, Spread) else value for value in found]
        return show_range([median / self.unit for median in medians])


def _figure(title: str, figure: str, unit: float = 1) -> Column:
    return Column(title, lambda run, work, peer: run.median(work, peer, figure), unit)


def _by_cpu() -> list[Column]:
    return [
        Column(f"of {name}, by CPU", lambda run, work, peer, name=name: run.efficiency(work, peer, name))
        for name in REFERENCES
    ]


def _by_rate() -> list[Column]:
    return [
        Column(f"of {name}", lambda run, work, peer, name=name: run.share(work, peer, reference=name))
        for name in REFERENCES
    ]


TIMES = (_figure("p50 ms", "p50", 1e-3), _figure("p99 ms", "p99", 1e-3))
MEMORY = _figure("memory MiB", "memory", MIB)
REQUESTS = (
    _figure("CPU µs", "cpu", 1e-6),
    *_by_cpu(),
    _figure("a second", "rate"),
    *_by_rate(),
    *TIMES,
    _figure("p99.9 ms", "p999", 1e-3),
    MEMORY,
    _figure("failed", "failed"),
)
TRANSFER = (_figure("CPU s", "cpu"), *_by_cpu(), _figure("MiB/s", "rate", MIB), *_by_rate(), MEMORY)
COLUMNS = {
    "download": TRANSFER,
    "upload": TRANSFER,
    "events": (_figure("events", "events"), *TIMES),
}
GROWING = (
    _figure("requests/s", "rate"),
    _figure("p99 ms", "p99", 1e-3),
    _figure("CPU µs", "cpu", 1e-6),
    MEMORY,
    _figure("KiB for each", "memory_each", KIB),
)


def build_table(runs: Sequence[Results]) -> str:
    """The whole report: what was promised, then a table for each work, then who is missing."""
    parts = ["# obo-proxy beside its peers", "\n".join(_describe(runs)), "\n".join(_promises(runs))]
    parts += ["\n".join(_section(runs, work)) for work in WORKS if _measured(runs, work.name)]
    parts += ["\n".join(_growth(runs, name)) for name in GROWTH if _measured(runs, name)]
    parts.append("\n".join(_absent(runs)))
    return "\n\n".join(part for part in parts if part) + "\n"


def show_range(values: Sequence[float]) -> str:
    """A dash where there are none; one figure where both ends read alike."""
    if not values:
        return "-"
    return " to ".join(dict.fromkeys((number(min(values)), number(max(values)))))


def number(value: float) -> str:
    """Three figures that mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _describe(runs: Sequence[Results]) -> Iterator[str]:
    yield from dict.fromkeys(run.machine for run in runs)
    pythons = ", ".join(dict.fromkeys(run.python for run in runs if run.python))
    several = f" {len(runs)} runs: each figure is the range of their medians." if len(runs) > 1 else ""
    yield f"Python: {pythons or 'unknown'}.{several}"


def _measured(runs: Sequence[Results], work: str) -> bool:
    return any(sample.work == work for run in runs for sample in run.samples)


def _promises(runs: Sequence[Results]) -> Iterator[str]:
    yield "## What is promised\n"
    yield from _rows("promise", "demanded", "measured", "kept")
    for target in targets.TARGETS:
        demanded = f"{'≥' if target.at_least else '≤'} {target.limit:,g}"
        measured = [value for run in runs if (value := target.measure(run)) is not None]
        yield _row(target.text, demanded, show_range(measured), _judge(list(map(target.met, measured))))


def _judge(kept: Sequence[bool]) -> str:
    if not kept:
        return "not measured"
    if all(kept):
        return "yes"
    return f"in {sum(kept)} of {len(kept)}" if any(kept) else "**no**"


def _section(runs: Sequence[Results], work: Work) -> Iterator[str]:
    columns = COLUMNS.get(work.name, REQUESTS)
    yield f"## {work.title} (`{work.name}`)\n"
    yield from _rows("peer", "verifies", *(column.title for column in columns))
    verifies = {peer: how for run in runs for peer, how in run.verifies.items()}
    for peer, how in verifies.items():
        if any(run.of(work.name, peer) for run in runs):
            yield _row(peer, how, *(column.show(runs, work.name, peer) for column in columns))


def _growth(runs: Sequence[Results], name: str) -> Iterator[str]:
    yield f"## {TITLES[name]} (`{name}`)\n"
    yield from _rows("obo-proxy with", *(column.title for column in GROWING))
    peers = dict.fromkeys(sample.peer for run in runs for sample in run.samples if sample.work == name)
    for peer in peers:
        yield _row(peer, *(column.show(runs, name, peer) for column in GROWING))


def _absent(runs: Sequence[Results]) -> Iterator[str]:
    missing = {(peer, "all"): reason for run in runs for peer, reason in run.missing.items()}
    faults = {(peer, work): why for run in runs for (work, peer), why in run.faults().items()}
    if missing or faults:
        yield "## Missing\n"
        yield from _rows("peer", "work", "reason")
        for (peer, work), reason in (missing | faults).items():
            yield _row(peer, work, _one_line(reason))


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[-240:]


def _rows(*titles: str) -> Iterable[str]:
    return (_row(*titles), _row(*("---" for _ in titles)))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
