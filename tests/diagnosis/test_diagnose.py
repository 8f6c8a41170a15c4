"""The doctor's steps for one token and one route, by the parts that serve."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.demo import Demo
from tests.support.issuer import shows_token

from ..support.demo import FORGERIES
from .examining import examine, verdicts


async def test_every_step_passes(demo: Demo) -> None:
    """The steps are those of a request, in its order, then the API's own."""
    diagnosis = await examine(demo, demo.mint("alice"))
    assert diagnosis.ok
    assert list(verdicts(diagnosis)) == [
        *("token", "issuer", "signature", "audience", "client", "kind", "times", "scopes"),
        *("demands", "exchange", "answer"),
        *("api_signature", "api_issuer", "api_audience", "api_times", "api_scopes"),
    ]
    assert diagnosis.after is not None
    assert diagnosis.after["aud"] == "api://orders"


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
async def test_no_forgery_is_exchanged(forgery: Any, demo: Demo) -> None:
    """C-01: whatever is examined by itself, only an accepted token goes to the authorization server."""
    diagnosis = await examine(demo, forgery(demo, demo.mint("alice")))
    assert not diagnosis.ok
    assert verdicts(diagnosis)["exchange"] == "skip"
    assert demo.calls["token"] == 0


async def test_everything_wrong_is_told_at_once(demo: Demo) -> None:
    """A failure hides none of the next; the proxy itself stops at the first."""
    diagnosis = await examine(
        demo, demo.mint("alice", audience="api://elsewhere", expires_in=-100, client_id="0oa1other")
    )
    failed = [step for step, verdict in verdicts(diagnosis).items() if verdict == "fail"]
    assert failed == ["audience", "client", "times"]


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


async def test_claims_hold_no_token(demo: Demo) -> None:
    """X-14: a token within a claim is left out of what is shown."""
    diagnosis = await examine(demo, demo.mint("alice", claims={"inner": [demo.mint("bob")]}))
    assert diagnosis.before is not None
    assert diagnosis.before["inner"] == ["(a token, not shown)"]
    assert not shows_token(repr(diagnosis))
