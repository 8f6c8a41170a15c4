"""Inspect tells what is wrong, and how it is mended."""

from __future__ import annotations

import html
import re

import pytest

from proxy.demo import Demo
from tests.support.misconfigurations import MISCONFIGURATIONS, ROUTE, Misconfiguration
from tests.support.proxy import running

from .visits import inspect, submit

ON_THE_PAGE = {"grant not ticked", "trusted server missing", "expected audience wrong", "token expired"}


def without_seconds(text: str) -> str:
    """Two looks at a token may be a second apart."""
    return re.sub(r"\b\d+ s ago", "just now", text)


@pytest.mark.parametrize("case", MISCONFIGURATIONS, ids=lambda case: case.name)
async def test_misconfigurations(case: Misconfiguration, demo: Demo):
    """Each is named with its cause and its remedy, as programs and people read it."""
    raw = case.make(demo)
    token = case.token(demo)
    async with running(raw) as proxy:
        answer = (await inspect(proxy, token, ROUTE)).json()
        failed = [step for step in answer["steps"] if step["verdict"] == "fail"]
        told = [(step["summary"], step["remedy"]) for step in failed]
        assert not answer["ok"]
        assert any(case.cause in cause and case.remedy in remedy for cause, remedy in told), told
        if case.name in ON_THE_PAGE:
            page = await submit(proxy, "/inspect", token=token, route=ROUTE)
            text = without_seconds(html.unescape(re.sub(r"<[^>]+>", "", page.text)))
            assert "would be refused" in text
            for cause, remedy in told:
                assert without_seconds(cause) in text
                assert remedy in text
