"""Two tokens' claims side by side."""

from __future__ import annotations

import pytest

from proxy.demo import Demo
from proxy.diagnosis.differences import HIDDEN, Difference, compare_claims, hide_tokens
from tests.support.issuer import shows_token

from .examining import examine


async def test_claims_hold_no_token(demo: Demo) -> None:
    """X-14: a token within a claim is left out of what is shown."""
    diagnosis = await examine(demo, demo.mint("alice", claims={"inner": [demo.mint("bob")]}))
    assert diagnosis.before is not None
    assert diagnosis.before["inner"] == ["(a token, not shown)"]
    assert not shows_token(repr(diagnosis))


TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("alice", "alice"),
        (TOKEN, HIDDEN),
        (f"Bearer {TOKEN}, and more", f"Bearer {HIDDEN}, and more"),
        ([1, TOKEN, [TOKEN]], [1, HIDDEN, [HIDDEN]]),
        ({"a": {TOKEN: TOKEN}}, {"a": {HIDDEN: HIDDEN}}),
        ("eyJ.a.b", "eyJ.a.b"),
        (None, None),
        (5, 5),
    ],
)
def test_tokens_within_claims_are_left_out(value: object, shown: object) -> None:
    """X-14: wherever they stand, names included."""
    assert hide_tokens(value) == shown


def test_what_an_exchange_has_changed() -> None:
    """Who and what for first, then when, then the rest by name."""
    before = {"zeta": 1, "exp": 10, "sub": "alice", "aud": "a", "gone": True}
    after = {"exp": 20, "sub": "alice", "aud": ["a"], "iss": "https://as", "alpha": None}
    assert [(one.name, one.change) for one in compare_claims(before, after)] == [
        ("iss", "added"),
        ("sub", "same"),
        ("aud", "changed"),
        ("exp", "changed"),
        ("alpha", "added"),
        ("gone", "removed"),
        ("zeta", "removed"),
    ]
    assert compare_claims({"sub": "a"}, {"sub": "b"}) == [Difference("sub", "a", "b", "changed")]
