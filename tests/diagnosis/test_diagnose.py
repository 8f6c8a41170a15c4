"""The doctor's steps for one token and one route, by the parts that serve."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.demo import Demo

from ..support.demo import FORGERIES
from .examining import examine, verdicts


async def test_every_step_passes(demo: Demo) -> None:
    """The steps are those of a request, in its order, then the API's own."""
    diagnosis = await examine(demo, demo.mint("alice"))
    assert diagnosis.ok
    assert list(verdicts(diagnosis)) == [
        *("token", "issuer", "signature", "audience", "client", "binding", "kind", "times", "scopes"),
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
