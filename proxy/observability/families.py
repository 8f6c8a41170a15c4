"""Metrics as Prometheus has them: families of samples, on their way to its text format and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Labels = tuple[object, ...]


class Sample(NamedTuple):
    """One line: ``name`` is the family's, with the ending that tells what of it this is."""

    name: str
    labels: Mapping[str, str]
    value: float


class Family:
    """All samples of one metric; the ``name`` of a counter is without its ``_total``."""

    def __init__(self, name: str, documentation: str, kind: str, samples: Iterable[Sample] = ()) -> None:
        self.name = name
        self.documentation = documentation
        self.kind = kind
        self.samples = list(samples)

    def add(self, ending: str, labels: Mapping[str, str], value: float) -> None:
        self.samples.append(Sample(self.name + ending, labels, value))


def build_counter(
    name: str, documentation: str, labels: Sequence[str] = (), counts: Iterable[tuple[Labels, float]] = ()
) -> Family:
    family = Family(name, documentation, "counter")
    for values, count in counts:
        family.add("_total", _name(labels, values), count)
    return family


def build_gauge(
    name: str, documentation: str, labels: Sequence[str] = (), values: Iterable[tuple[Labels, float]] = ()
) -> Family:
    family = Family(name, documentation, "gauge")
    for of, value in values:
        family.add("", _name(labels, of), value)
    return family


def build_histogram(
    name: str,
    documentation: str,
    label: str | None,
    histograms: Iterable[tuple[str, Sequence[tuple[str, float]], float]],
) -> Family:
    """Each of ``histograms`` is the value of ``label``, if there is one, the counts up to each bound, and the sum."""
    family = Family(name, documentation, "histogram")
    for value, buckets, total in histograms:
        labels = {label: value} if label else {}
        for bound, count in buckets:
            family.add("_bucket", labels | {"le": bound}, count)
        family.add("_count", labels, buckets[-1][1])
        family.add("_sum", labels, total)
    return family


def _name(labels: Sequence[str], values: Labels) -> dict[str, str]:
    """A sample that has no value for the last of ``labels`` is without it."""
    return dict(zip(labels, map(str, values), strict=False))
