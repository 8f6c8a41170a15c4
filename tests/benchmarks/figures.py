"""What is told of a run in one number, each as a function of its results; None where it was not measured."""

from __future__ import annotations

from collections.abc import Callable

from .results import OURS, PROVEN, REFERENCE, Results

KIB, MIB = 1024, 1024 * 1024
Measure = Callable[[Results], float | None]


def share(work: str, reference: str = REFERENCE, figure: str = "rate") -> Measure:
    """Ours as a share of the reference's."""
    return lambda results: results.share(work, OURS, figure, reference=reference)


def spent(work: str, reference: str = REFERENCE, ours: str = OURS) -> Measure:
    """The reference's CPU time as a ratio of ours: above 1 we spend less."""

    def measure(results: Results) -> float | None:
        spread = results.efficiency(work, ours, reference)
        return None if spread is None else spread.median

    return measure


def median(work: str, figure: str, unit: float = 1, ours: str = OURS) -> Measure:
    def measure(results: Results) -> float | None:
        value = results.median(work, ours, figure)
        return None if value is None else value / unit

    return measure


def last(work: str, figure: str, unit: float = 1) -> Measure:
    """That of the largest, which is measured last."""

    def measure(results: Results) -> float | None:
        values = [s.figures[figure] for s in results.samples if s.work == work and figure in s.figures]
        return values[-1] / unit if values else None

    return measure


def kept(work: str) -> Measure:
    """The large one's rate as a share of the small one's, which was measured first."""

    def measure(results: Results) -> float | None:
        peers = list(dict.fromkeys(sample.peer for sample in results.samples if sample.work == work))
        return results.share(work, peers[-1], reference=peers[0]) if len(peers) > 1 else None

    return measure


def added_microseconds(peer: str) -> Measure:
    """By which one connection's requests take longer than directly, at the median."""

    def measure(results: Results) -> float | None:
        through, direct = (results.median("single", name, "p50") for name in (peer, "direct"))
        return None if through is None or direct is None else (through - direct) * 1e6

    return measure


def first_requests(results: Results) -> float | None:
    """How many one core makes in a second, if it does nothing else."""
    seconds = results.median("misses", OURS, "cpu")
    return 1 / seconds if seconds else None


def proven(results: Results) -> float | None:
    """Envoy verifies no proofs, but a signature for each request as well."""
    ours = results.median("proofs", PROVEN, "rate")
    theirs = results.median("hit", "Envoy, no JWT cache", "rate")
    return ours / theirs if ours and theirs else None
