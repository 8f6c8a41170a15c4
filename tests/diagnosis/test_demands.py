"""What a route asks beyond an accepted token."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.demo import Demo
from proxy.diagnosis.demands import describe_duration

from .examining import examine, verdicts


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (-58.4, "58 s"), (59.6, "1 min"), (150, "2 min"), (3600, "1 h"), (90000, "1 d")],
)
def test_durations(seconds: float, text: str) -> None:
    """Whole units, without a sign."""
    assert describe_duration(seconds) == text


@pytest.mark.parametrize(
    ("changes", "summary"),
    [
        ({"required_scopes": ["orders:approve"]}, "the subject token lacks a scope of the route"),
        ({"acr_values": ["urn:okta:loa:2fa:any"]}, "the user's authentication was not strong enough"),
        ({"required_scopes": ["orders:read"]}, None),
    ],
    ids=["scopes", "step-up", "met"],
)
async def test_demands_of_the_route(changes: dict[str, Any], summary: str | None, demo: Demo) -> None:
    """What a route asks beyond an accepted token is a step of its own, before the exchange."""
    diagnosis = await examine(demo, demo.mint("alice"), **changes)
    [demands] = [finding for finding in diagnosis.findings if finding.step == "demands"]
    assert (demands.verdict, demands.summary) == (
        ("fail", summary) if summary else ("pass", "the token has what the route asks for")
    )
    assert verdicts(diagnosis)["exchange"] == ("skip" if summary else "pass")
