"""What the doctor says of those who send signals."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.config.load import parse_settings
from proxy.demo import Demo
from proxy.demo.signals import build_entry
from proxy.diagnosis.doctor import examine_all
from proxy.runtime import SystemClock


async def examine(demo: Demo, token: str | None, **changes: Any) -> list[tuple[str, str, str]]:
    """Step, verdict and what is told of each finding about signals."""
    settings = parse_settings(demo.settings(signals=[build_entry(demo.tenant) | changes]))
    report = await examine_all(settings, SystemClock(), token=token)
    (section,) = (section for section in report.sections if section.title == "Signals")
    return [(finding.step, finding.verdict, finding.summary) for finding in section.findings]


async def test_all_is_well(demo: Demo):
    """Its keys are there, and the user can be found both ways."""
    assert await examine(demo, demo.mint("alice")) == [
        ("signing_keys", "pass", "2 usable"),
        ("match", "pass", "the user is found sub by uid, email by sub"),
    ]


async def test_without_a_token_of_the_orgs(demo: Demo):
    """Whether users can be found remains to be seen."""
    assert [verdict for _, verdict, _ in await examine(demo, None)] == ["pass", "skip"]


@pytest.mark.parametrize(
    ("changes", "step", "told"),
    [
        ({"match": {"sub": "employee", "email": "mail"}}, "match", "the token has none of employee, mail"),
        ({"jwks_url": "http://127.0.0.1:1/keys"}, "signing_keys", ""),
    ],
)
async def test_what_is_wrong(demo: Demo, changes: dict[str, Any], step: str, told: str):
    """Before an event is lost by it."""
    found = {each[0]: each for each in await examine(demo, demo.mint("alice"), **changes)}
    assert found[step][1] == "fail"
    assert told in found[step][2]
