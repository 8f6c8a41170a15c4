"""What was measured: figures by work and peer, one sample a repetition; and one run's results as a JSON file."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

OURS = "obo-proxy"
NOT_COMPILED = f"{OURS}, not compiled"  # as ``pip install`` gives it
REFERENCE = "Envoy"
REFERENCES = ("nginx", REFERENCE)
PROVEN = "proofs"  # ours, where each request brings one


@dataclass(frozen=True)
class Sample:
    """One repetition. Rates are per second, times in s, sizes in bytes; ``fault`` says why there are no figures."""

    work: str
    peer: str
    figures: Mapping[str, float] = field(default_factory=dict)
    fault: str | None = None


class Spread(NamedTuple):
    """What several rounds gave: the median, and the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self | None:
        """None without values."""
        return cls(statistics.median(values), min(values), max(values)) if values else None


@dataclass
class Results:
    """Those of one run."""

    machine: str
    python: str = ""
    verifies: dict[str, str] = field(default_factory=dict)  # by peer, in the order of the table
    missing: dict[str, str] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> Self:
        """What ``to_json`` wrote. Raises OSError, ValueError or TypeError."""
        fields = json.loads(file.read_text())
        fields["samples"] = [Sample(**sample) for sample in fields["samples"]]
        return cls(**fields)

    def of(self, work: str, peer: str) -> list[Sample]:
        return [sample for sample in self.samples if (sample.work, sample.peer) == (work, peer)]

    def median(self, work: str, peer: str, figure: str) -> float | None:
        """The median over the repetitions that gave the figure."""
        values = [s.figures[figure] for s in self.of(work, peer) if figure in s.figures]
        return statistics.median(values) if values else None

    def share(self, work: str, peer: str, figure: str = "rate", reference: str = REFERENCE) -> float | None:
        """``peer``'s median as a share of the reference's."""
        ours, theirs = self.median(work, peer, figure), self.median(work, reference, figure)
        return ours / theirs if ours is not None and theirs else None

    def efficiency(self, work: str, peer: str, reference: str = REFERENCE) -> Spread | None:
        """The reference's CPU time for a request as a ratio of ``peer``'s, round by round: above 1 it spends less.

        What else a shared machine does changes CPU time least, and meets both of a round alike.
        """
        rounds = zip(self.of(work, reference), self.of(work, peer), strict=False)
        pairs = [(theirs.figures.get("cpu"), ours.figures.get("cpu")) for theirs, ours in rounds]
        return Spread.of([theirs / ours for theirs, ours in pairs if theirs and ours])

    def faults(self) -> dict[tuple[str, str], str]:
        return {(s.work, s.peer): s.fault for s in self.samples if s.fault}

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"
