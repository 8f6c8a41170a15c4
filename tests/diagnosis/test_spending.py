"""What a configuration spends of Okta's allowance of ID-JAGs."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.config import models
from proxy.config.shape import build_section
from proxy.diagnosis.spending import estimate_spending, judge_spending


def route(grant: str = "id_jag") -> models.Route:
    return build_section(models.Route, {"name": "chat", "path": "/", "upstream": "http://a", "grant": grant})


@pytest.mark.parametrize(
    ("cache", "lifetime", "first_lifetime", "a_day", "verdict"),
    [
        ({}, None, 300.0, 9, "pass"),
        ({}, 3600.0, 300.0, 9, "pass"),
        ({}, 86_400.0, 300.0, 9, "pass"),
        ({"max_ttl": "24h"}, 86_400.0, 300.0, 1, "pass"),
        ({"revalidate_after": "1s", "refresh_ahead": "30m"}, 3600.0, 300.0, 9, "pass"),
        ({"max_ttl": "5m"}, None, 300.0, 107, "warn"),
        ({}, 300.0, 300.0, 107, "warn"),
        ({"max_ttl": 0}, None, 300.0, 107, "warn"),
        ({}, 60.0, 300.0, 107, "warn"),
        ({}, 60.0, 3600.0, 8, "pass"),
    ],
)
def test_one_user_all_day(cache: dict[str, Any], lifetime, first_lifetime, a_day, verdict):
    """One for each access token, or for each ID-JAG's life where that is longer; 250 a month are allowed."""
    settings = build_section(models.Cache, cache)
    told = {"lifetime": lifetime, "first_lifetime": first_lifetime}
    spending = estimate_spending(route(), settings, **told)
    finding = judge_spending(route(), settings, **told)
    assert spending
    assert finding
    assert (spending.a_day, spending.a_month, finding.verdict) == (a_day, a_day * 22, verdict)
    assert f"{a_day} ID-JAGs a day" in finding.summary


def test_a_key_by_token_costs_more():
    """Each refreshed token of a session has an entry, and so an ID-JAG, of its own."""
    finding = judge_spending(route(), models.Cache(key="token"))
    assert finding
    assert "one more for each new token" in finding.summary


@pytest.mark.parametrize("grant", ["token_exchange", "identity_chaining"])
def test_nobody_counts_elsewhere(grant):
    """Only ID-JAGs are metered."""
    assert judge_spending(route(grant), models.Cache()) is None
