"""What must hold for the cache."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

from typing import Any

import pytest

from .samples import change, faults_of


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("cache.max_ttl", 30, "cache.expiry_leeway: not less than max_ttl: nothing would ever be kept (got 30.0)"),
        ("cache.ignore_claims", ["sid", "sub"], "cache.ignore_claims[1]: tells users apart, so it stays in the key (got 'sub')"),
        ("cache", {"key": "token", "ignore_claims": ["sid"]}, "cache.ignore_claims: not used with key: token, so leave it out"),
    ],
)  # fmt: skip
def test_faults_of_the_cache(path: str, value: Any, fault: str) -> None:
    """What would keep nothing, mix users up, or has no use."""
    assert faults_of(change((path, value))) == [fault]


@pytest.mark.parametrize("claim", ["act", "may_act"])
def test_who_acts_stays_in_the_key(claim: str) -> None:
    """What one actor may do is not served to another."""
    assert faults_of(change(("cache.ignore_claims", [claim]))) == [
        f"cache.ignore_claims[0]: says who acts for the user, so it stays in the key (got {claim!r})"
    ]
