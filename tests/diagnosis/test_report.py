"""What an examination found, as a whole."""

from __future__ import annotations

import jsonschema
import pytest

from proxy.diagnosis.diagnose import Diagnosis
from proxy.diagnosis.finding import Finding, Verdict
from proxy.diagnosis.report import Report, Section
from tests.support.checking import SCHEMA


def found(*verdicts: Verdict) -> tuple[Finding, ...]:
    return tuple(Finding("step", "", verdict, "told") for verdict in verdicts)


@pytest.mark.parametrize(
    ("verdicts", "ok"),
    [
        ([], True),
        (["pass", "skip"], True),
        (["pass", "warn"], True),
        (["pass", "fail"], False),
        (["fail"], False),
    ],
)
def test_a_report_is_as_good_as_its_worst_finding(verdicts: list[Verdict], ok: bool) -> None:
    """A warning does not fail; the findings of all sections count."""
    report = Report((Section("One", found("pass")), Section("Two", found(*verdicts))))
    assert report.ok is ok
    assert report.count() == {
        verdict: [*verdicts, "pass"].count(verdict) for verdict in ("pass", "warn", "fail", "skip")
    }


def test_its_document() -> None:
    """An exchange is told where it gave a readable token; a user's token alone is no exchange."""
    exchange = Diagnosis("orders", found("pass"), {"sub": "alice"}, {"sub": "alice", "aud": "a"})
    opaque = Diagnosis("other", found("pass"), {"sub": "alice"}, None)
    own = Diagnosis("own", found("pass"), None, {"sub": "proxy"})
    sections = (Section("T", one.findings, one) for one in (exchange, opaque, own))
    document = Report(tuple(sections)).as_document()
    jsonschema.validate(document, SCHEMA)
    assert [one["route"] for one in document["exchanges"]] == ["orders", "own"]
    assert [one["name"] for one in document["exchanges"][0]["differences"]] == ["sub", "aud"]
    assert document["exchanges"][1]["before"] == {}
    assert len(document["findings"]) == 3
