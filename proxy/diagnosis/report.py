"""What an examination found, as a whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, get_args

from .diagnose import Diagnosis
from .differences import compare_claims
from .finding import Finding, Verdict

VERSION = 1  # of the document's shape; a member may be added without another


@dataclass(frozen=True, slots=True)
class Section:
    """Findings that belong together under a title; ``exchange`` is there where a route's was tried."""

    title: str
    findings: tuple[Finding, ...]
    exchange: Diagnosis | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The sections in the order in which a request would meet what they are about."""

    sections: tuple[Section, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for section in self.sections for finding in section.findings)

    @property
    def ok(self) -> bool:
        return all(finding.verdict != "fail" for finding in self.findings)

    def count(self) -> dict[Verdict, int]:
        """How many findings there are of each verdict."""
        counts = Counter(finding.verdict for finding in self.findings)
        return {verdict: counts[verdict] for verdict in get_args(Verdict)}

    def as_document(self) -> dict[str, Any]:
        """The report in JSON's terms.

        ``version`` (1), ``ok``, ``counts`` by verdict, ``findings`` (see ``Finding.as_document``), and ``exchanges``:
        for each route whose exchange gave a readable token ``route``, the decoded claims ``before`` and ``after``,
        and ``differences`` with ``name``, ``before``, ``after`` and ``change`` (same, changed, added, removed).
        """
        exchanges = [section.exchange for section in self.sections if section.exchange is not None]
        return {
            "version": VERSION,
            "ok": self.ok,
            "counts": self.count(),
            "findings": [finding.as_document() for finding in self.findings],
            "exchanges": [_build_exchange(one) for one in exchanges if one.after is not None],
        }


def _build_exchange(exchange: Diagnosis) -> dict[str, Any]:
    before, after = exchange.before or {}, exchange.after or {}
    return {
        "route": exchange.route,
        "before": before,
        "after": after,
        "differences": [asdict(difference) for difference in compare_claims(before, after)],
    }
