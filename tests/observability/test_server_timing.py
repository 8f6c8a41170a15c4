"""Server-Timing: told when asked for, and by no other route."""

from __future__ import annotations

import re

import pytest

from proxy.demo import Demo
from proxy.observability.server_timing import Times, build_server_timing
from tests.support.proxy import running

FIELD = re.compile(r"obo-verify;dur=[\d.]+, obo-token;dur=[\d.]+, obo-upstream;dur=[\d.]+")


@pytest.mark.parametrize(
    ("times", "total", "field"),
    [
        (Times(), 0.0, b"obo-verify;dur=0.00, obo-token;dur=0.00, obo-upstream;dur=0.00"),
        (
            Times(verify=0.001, upstream=0.03),
            0.051,
            b"obo-verify;dur=1.00, obo-token;dur=20.00, obo-upstream;dur=30.00",
        ),
    ],
    ids=["nothing yet", "each"],
)
def test_what_is_told(times, total, field):
    """What was neither verifying nor the upstream went for the token."""
    assert build_server_timing(times, total) == field


@pytest.mark.parametrize("asked", [True, False])
async def test_only_when_asked_for(demo: Demo, asked):
    """``listen.server_timing``, for exchanged and for cached tokens."""
    async with running(demo.settings(listen={"server_timing": asked})) as proxy:
        answers = [await proxy.get("/orders", demo.mint("alice")) for _ in range(2)]
    fields = [answer.headers.get("server-timing") for answer in answers]
    if not asked:
        assert fields == [None, None]
        return
    assert all(FIELD.fullmatch(field) for field in fields)
