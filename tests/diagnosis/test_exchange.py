"""The exchange by itself, and what an API would make of its token."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.demo import Demo

from .examining import examine, verdicts


async def test_an_opaque_issued_token(demo: Demo) -> None:
    """It is accepted as a request would accept it; of what the API makes of it nothing can be told."""
    demo.faults.members["access_token"] = "opaque"
    diagnosis = await examine(demo, demo.mint("alice"))
    assert (diagnosis.ok, diagnosis.after) == (True, None)
    assert list(verdicts(diagnosis))[-1] == "answer"


@pytest.mark.parametrize(
    ("claims", "step"),
    [
        ({"iss": "https://login.example.com/oauth2/orders"}, "api_issuer"),
        ({"scp": ["orders:list"]}, "api_scopes"),
        ({"exp": "soon"}, "api_signature"),
    ],
    ids=["issuer mode", "scopes", "not well-formed"],
)
async def test_what_an_api_would_refuse(claims: dict[str, Any], step: str, demo: Demo) -> None:
    """RFC 9068 §4: what the proxy passes on and an API may refuse is a warning with its remedy."""
    demo.faults.claims.update(claims)
    diagnosis = await examine(demo, demo.mint("alice"))
    warnings = [finding for finding in diagnosis.findings if finding.verdict == "warn"]
    assert step in [finding.step for finding in warnings]
    assert all("would refuse" in finding.summary and finding.remedy for finding in warnings)
