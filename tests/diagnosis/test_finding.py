"""What one step has found."""

from __future__ import annotations

from proxy.diagnosis.finding import Finding


def test_findings_show_no_more_than_they_say() -> None:
    """The document has exactly the finding's fields, its time cut to what is meant."""
    finding = Finding("clock", "okta", "warn", "10 s", "NTP", "code", 0.123456)
    assert finding.as_document() == {
        "step": "clock",
        "about": "okta",
        "verdict": "warn",
        "summary": "10 s",
        "remedy": "NTP",
        "code": "code",
        "seconds": 0.1235,
    }
