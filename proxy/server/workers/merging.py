"""One answer out of the workers' answers: their metrics, readiness and counts added up (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...observability.exposition import parse
from ...observability.families import Family, Sample

Series = tuple[str, str, frozenset[tuple[str, str]]]  # family, sample, labels

OWN = ("process_", "python_")  # what is one process's: told for each, by its label
LARGEST = (
    "_info",
    "_seconds",
    "_ratio",
    "_open",
    "_user_revocations",
)  # gauges of which the largest says more than the sum
SMALLEST = ("_remaining", "_expires_seconds")
CUMULATIVE = frozenset({"counter", "histogram", "summary"})


@dataclass
class Tally:
    """What the processes that had one worker's place have counted: those that ended, and the one there is now."""

    past: dict[Series, float] = field(default_factory=dict)
    now: dict[Series, float] = field(default_factory=dict)
    families: dict[str, Family] = field(default_factory=dict)

    def see(self, families: Iterable[Family]) -> None:
        """The running process's counters, as it tells them now."""
        self.families = {family.name: family for family in families}
        self.now = {
            (family.name, sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            if family.kind in CUMULATIVE and not family.name.startswith(OWN)
            for sample in family.samples
        }

    def end(self) -> None:
        """The process has ended: what it has counted stays, its gauges do not."""
        for series, value in self.now.items():
            self.past[series] = self.past.get(series, 0.0) + value
        self.now = {}
        self.families = {
            name: Family(name, family.documentation, family.kind) for name, family in self.families.items()
        }

    def counters(self) -> Iterator[tuple[Series, float]]:
        yield from self.past.items()
        yield from self.now.items()


def parse_metrics(text: str) -> list[Family]:
    """Prometheus' text format. Raises ValueError."""
    return parse(text)


def merge_metrics(tallies: Mapping[str, Tally]) -> list[Family]:
    """Counters and histograms added up by series, gauges too or their largest, a process's own by ``worker``."""
    merged: dict[str, Family] = {}
    for tally in tallies.values():
        for name, family in tally.families.items():
            merged.setdefault(name, Family(name, family.documentation, family.kind))
    totals: defaultdict[Series, float] = defaultdict(float)
    for tally in tallies.values():
        for series, value in tally.counters():
            totals[series] += value
    totals.update(_merge_gauges(tallies.values()))
    for (of, sample_name, labels), value in totals.items():
        merged[of].samples.append(Sample(sample_name, dict(sorted(labels)), value))
    for worker, tally in tallies.items():
        for family, sample in _samples(tally, own=True):
            merged[family.name].samples.append(
                Sample(sample.name, {**sample.labels, "worker": worker}, sample.value)
            )
    for metric in merged.values():
        metric.samples = _sort(metric)
    return list(merged.values())


def _merge_gauges(tallies: Iterable[Tally]) -> Iterator[tuple[Series, float]]:
    found: defaultdict[Series, list[float]] = defaultdict(list)
    for tally in tallies:
        for family, sample in _samples(tally, own=False):
            if family.kind not in CUMULATIVE:
                found[family.name, sample.name, frozenset(sample.labels.items())].append(sample.value)
    for series, values in found.items():
        yield series, _choose(series[0])(values)


def _choose(family: str) -> Callable[[Iterable[float]], float]:
    if family.endswith(SMALLEST):
        return min
    return max if family.endswith(LARGEST) else sum


def _samples(tally: Tally, *, own: bool) -> Iterator[tuple[Family, Sample]]:
    for family in tally.families.values():
        if family.name.startswith(OWN) == own:
            for sample in family.samples:
                yield family, sample


def _sort(metric: Family) -> list[Sample]:
    """By series, the buckets of one in the order of their bounds."""

    def key(sample: Sample) -> tuple[list[tuple[str, str]], str, float]:
        labels = dict(sample.labels)
        bound = float(labels.pop("le", "0"))
        return sorted(labels.items()), sample.name, bound

    return sorted(metric.samples, key=key)


def merge_readiness(
    answers: Mapping[int, tuple[int, Mapping[str, Any]]], missing: Mapping[int, str]
) -> tuple[int, dict[str, Any]]:
    """Ready with one worker that is; what keeps the others is said of each, as is why ``missing`` gave no answer."""
    reasons = [f"worker {number}: {reason}" for number, reason in sorted(missing.items())]
    for number, (_, answer) in sorted(answers.items()):
        reasons += [f"worker {number}: {reason}" for reason in answer.get("reasons", ())]
    if not any(status == 200 for status, _ in answers.values()):
        return 503, {"status": "unready", "reasons": reasons}
    return 200, {"status": "degraded" if reasons else "ready", "reasons": reasons}


def add_up(answers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Numbers by name added up; of anything else, the first."""
    total: dict[str, Any] = {}
    for answer in answers:
        for name, value in answer.items():
            if isinstance(value, int) and not isinstance(value, bool):
                total[name] = total.get(name, 0) + value
            else:
                total.setdefault(name, value)
    return total
