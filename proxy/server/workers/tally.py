"""What several workers have counted, and what their supervisor has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from prometheus_client import Metric  # there once somebody has asked for metrics

Series = tuple[str, str, frozenset[tuple[str, str]]]  # family, sample, labels

OWN = ("process_", "python_")  # what is one process's: told for each, by its label
CUMULATIVE = frozenset({"counter", "histogram", "summary"})


class Counts(NamedTuple):
    """The supervisor's own: reloads by outcome, workers replaced by number, and how many serve."""

    reloads: Mapping[str, int]
    restarts: Mapping[int, int]
    serving: int


@dataclass
class Tally:
    """What the processes that had one worker's place have counted: those that ended, and the one there is now."""

    past: dict[Series, float] = field(default_factory=dict)
    now: dict[Series, float] = field(default_factory=dict)
    families: dict[str, Metric] = field(default_factory=dict)

    def see(self, families: Iterable[Metric]) -> None:
        """The running process's counters, as it tells them now."""
        self.families = {family.name: family for family in families}
        self.now = {
            (family.name, sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            if family.type in CUMULATIVE and not family.name.startswith(OWN)
            for sample in family.samples
        }

    def end(self) -> None:
        """The process has ended: what it has counted stays, its gauges do not."""
        for series, value in self.now.items():
            self.past[series] = self.past.get(series, 0.0) + value
        self.now = {}
        for family in self.families.values():
            family.samples = []

    def counters(self) -> Iterator[tuple[Series, float]]:
        yield from self.past.items()
        yield from self.now.items()
