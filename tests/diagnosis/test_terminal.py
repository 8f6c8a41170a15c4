"""A report for people."""

from __future__ import annotations

import pytest

from proxy.demo import Demo
from tests.support.checking import Check


async def test_text(demo: Demo, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain text within 80 columns, no escapes, verdicts and changes in words and marks."""
    monkeypatch.setenv("COLUMNS", "80")
    demo.tenant.servers["orders"].rules.clear()
    checked = await check.text(demo.settings(), demo.mint("alice", claims={"evil": "\x1b]0;owned\x07[red]"}))
    assert checked.status == 1
    assert max(map(len, checked.out.splitlines())) <= 80
    assert "\x1b" not in checked.out
    assert "\\x1b]0;owned\\x07[red]" in checked.out
    assert "  FAIL  exchange" in checked.out
    assert "        Remedy: Okta Admin Console: Security > API > Authorization Servers >" in checked.out
    assert "Something must be mended (exchange of orders" in checked.out


async def test_text_of_warnings(demo: Demo, check: Check) -> None:
    """The last line is the sum."""
    checked = await check.text(demo.settings(), None, "--route", "payroll")
    assert checked.out.splitlines()[-1].startswith("It works, with warnings (route scopes of payroll): ")
    checked = await check.text(demo.settings(), None, "--route", "public")
    assert checked.out.splitlines()[-1].startswith("All is well: ")
