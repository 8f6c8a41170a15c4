"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from . import targets
from .growth import GROWTH
from .results import Results, Spread
from .works import WORKS, Work

MIB = 1024 * 1024
TITLES = {
    "routes": "Growth: routes",
    "proofs": "Growth: callers with proofs (ES256)",
    "users": "Growth: cached users",
    "idle": "Growth: idle connections",
    "workers": "Growth: workers",
}


def build_table(results: Results) -> str:
    """The whole report: what was promised, then a table for each work, then who is missing."""
    parts = [f"# obo-proxy beside its peers\n\n{results.machine}", "\n".join(_promises(results))]
    parts += ["\n".join(_section(results, work)) for work in WORKS if _measured(results, work.name)]
    parts += ["\n".join(_growth(results, name)) for name in GROWTH if _measured(results, name)]
    parts.append("\n".join(_absent(results)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _measured(results: Results, work: str) -> bool:
    return any(sample.work == work for sample in results.samples)


def _promises(results: Results) -> Iterator[str]:
    yield "## What is promised\n"
    yield from _rows("promise", "demanded", "measured", "kept")
    for target, measured in targets.check(results):
        demanded = f"{'≥' if target.at_least else '≤'} {target.limit:,g}"
        verdict = "not measured" if measured is None else ("yes" if target.met(measured) else "**no**")
        yield _row(target.text, demanded, _number(measured), verdict)


def _section(results: Results, work: Work) -> Iterator[str]:
    yield f"## {work.title} (`{work.name}`)\n"
    large = work.name in {"download", "upload"}
    if work.name == "events":
        yield from _rows("peer", "events", "p50 ms", "p99 ms")
    elif large:
        yield from _rows("peer", "MiB/s", "of Envoy", "CPU s", "memory MiB")
    else:
        yield from _rows(
            "peer",
            "verifies",
            "CPU µs",
            "of Envoy, by CPU",
            "requests/s",
            "of Envoy",
            "p50 ms",
            "p99 ms",
            "memory MiB",
            "failed",
        )
    for peer in results.verifies:
        if results.of(work.name, peer):
            yield _row(peer, *_cells(results, work.name, peer, large))


def _cells(results: Results, work: str, peer: str, large: bool) -> list[str]:
    def cell(figure: str, unit: float = 1) -> str:
        value = results.median(work, peer, figure)
        return _number(None if value is None else value / unit)

    share = _number(results.share(work, peer))
    if work == "events":
        return [cell("events"), cell("p50", 1e-3), cell("p99", 1e-3)]
    if large:
        return [cell("rate", MIB), share, cell("cpu"), cell("memory", MIB)]
    return [
        results.verifies[peer],
        cell("cpu", 1e-6),
        _spread(results.efficiency(work, peer)),
        cell("rate"),
        share,
        *(cell(figure, 1e-3) for figure in ("p50", "p99")),
        cell("memory", MIB),
        cell("failed"),
    ]


def _growth(results: Results, name: str) -> Iterator[str]:
    yield f"## {TITLES[name]} (`{name}`)\n"
    yield from _rows("obo-proxy with", "requests/s", "p99 ms", "CPU µs", "memory MiB", "KiB for each")
    for peer in dict.fromkeys(sample.peer for sample in results.samples if sample.work == name):
        units = {"rate": 1, "p99": 1e-3, "cpu": 1e-6, "memory": MIB, "memory_each": 1024}
        medians = {figure: results.median(name, peer, figure) for figure in units}
        yield _row(peer, *(_number(None if v is None else v / units[f]) for f, v in medians.items()))


def _absent(results: Results) -> Iterator[str]:
    if results.missing or results.faults():
        yield "## Missing\n"
        yield from _rows("peer", "work", "reason")
        yield from (_row(peer, "all", _one_line(reason)) for peer, reason in results.missing.items())
        yield from (_row(peer, work, _one_line(why)) for (work, peer), why in results.faults().items())


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[-240:]


def _rows(*titles: str) -> Iterable[str]:
    return (_row(*titles), _row(*("---" for _ in titles)))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(spread: Spread | None) -> str:
    return "-" if spread is None else f"{spread.median:.2f} ({spread.least:.2f} to {spread.most:.2f})"


def _number(value: float | None) -> str:
    """Three figures that mean something; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
