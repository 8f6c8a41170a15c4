"""A report for people: in a terminal with colour, elsewhere as plain text, and never by colour alone.

What servers and tokens say is shown as it is: no markup of theirs is obeyed, and no control character.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .diagnose import Diagnosis
from .differences import Difference, compare_claims
from .finding import Finding, Verdict
from .report import Report, Section

_MARKS: Mapping[Verdict, tuple[str, str]] = {
    "pass": ("ok", "green"),
    "warn": ("WARN", "bold yellow"),
    "fail": ("FAIL", "bold red"),
    "skip": ("skip", "dim"),
}
_CHANGES = {"same": "", "changed": "*", "added": "+", "removed": "-"}
_TIMES = frozenset({"iat", "nbf", "exp", "auth_time"})
_LATEST = 253402300799  # 9999-12-31: what comes after has no name
_STEP_WIDTH = len("configuration")
_TIME_WIDTH = len("10000 ms")
_SHOWN_FROM = 0.0005  # s: less is no time


def render_report(report: Report, console: Console) -> str:
    """All sections, each failure with its remedy, and the sum; as wide as ``console`` is, and for what it can show."""
    with console.capture() as capture:
        for section in report.sections:
            _print_section(section, console)
        _print_sum(report, console)
    # A grid is filled up with blanks, which nobody wants in a file.
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _print_section(section: Section, console: Console) -> None:
    console.print(Text(_clean(section.title), "bold"))
    for finding in section.findings:
        _print_finding(finding, console)
    if section.exchange is not None and section.exchange.after is not None:
        console.print()
        console.print(Padding(_build_comparison(section.exchange), (0, 0, 0, 2)))
    console.print()


def _print_finding(finding: Finding, console: Console) -> None:
    mark, style = _MARKS[finding.verdict]
    summary = f"{finding.about}: {finding.summary}" if finding.step == "upstream" else finding.summary
    seconds = f"{finding.seconds * 1000:.0f} ms" if finding.seconds >= _SHOWN_FROM else ""
    row = Table.grid(padding=(0, 2, 0, 0), expand=True)
    row.add_column(width=4, no_wrap=True)
    row.add_column(width=_STEP_WIDTH, no_wrap=True)
    row.add_column(ratio=1, overflow="fold")
    row.add_column(width=_TIME_WIDTH, justify="right", no_wrap=True)
    row.add_row(
        Text(mark, style),
        finding.step.replace("_", " "),
        Text(_clean(summary), "dim" if finding.verdict == "skip" else ""),
        Text(seconds, "dim"),
    )
    console.print(Padding(row, (0, 0, 0, 2)))
    if finding.verdict in ("warn", "fail") and finding.remedy:
        console.print(Padding(Text(f"Remedy: {_clean(finding.remedy)}", "bold"), (0, 2, 0, 8)))


def _build_comparison(exchange: Diagnosis) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="underline")
    table.add_column("claim", no_wrap=True)
    table.add_column("", width=1)
    without_user = exchange.before is None
    if not without_user:
        table.add_column("the user's token", overflow="fold")
    table.add_column("the exchanged token" if not without_user else "the token", overflow="fold")
    for difference in compare_claims(exchange.before or {}, exchange.after or {}):
        _add_claim(table, difference, without_user=without_user)
    return table


def _add_claim(table: Table, difference: Difference, *, without_user: bool) -> None:
    before, after = (
        Text("-" if value is None else _show(difference.name, value))
        for value in (difference.before, difference.after)
    )
    name = Text(_clean(difference.name))
    if without_user:
        table.add_row(name, "", after)
        return
    style = "" if difference.change == "same" else "bold"
    table.add_row(name, _CHANGES[difference.change], before, after, style=style)


def _print_sum(report: Report, console: Console) -> None:
    counts = report.count()
    told = ", ".join(f"{count} {_MARKS[verdict][0].lower()}" for verdict, count in counts.items() if count)
    verdict: Verdict = "fail" if counts["fail"] else "warn" if counts["warn"] else "pass"
    named = [_name(finding) for finding in report.findings if finding.verdict == verdict]
    sentence = {
        "fail": f"Something must be mended ({', '.join(named)})",
        "warn": f"It works, with warnings ({', '.join(named)})",
        "pass": "All is well",
    }
    console.print(Text(_clean(f"{sentence[verdict]}: {told}."), _MARKS[verdict][1]))


def _name(finding: Finding) -> str:
    step = finding.step.replace("_", " ")
    return f"{step} of {finding.about}" if finding.about else step


def _show(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if name in _TIMES and isinstance(value, int | float) and 0 <= value <= _LATEST:
        return f"{text} ({datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}Z)"
    return _clean(text)


def _clean(text: str) -> str:
    """Control and direction characters as escapes: a claim must not write on somebody's terminal."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
