"""An authorization server that is gone for a while."""

from __future__ import annotations

from tests.soak.outage import vanish


async def test_an_outage_is_seen_by_new_users_alone():
    """F-01: cached users are served throughout, others told within the deadline, and all is well again soon."""
    assert await vanish(1.0)
