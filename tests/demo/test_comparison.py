"""Two tokens side by side."""

from __future__ import annotations

from proxy.demo.comparison import compare


def test_compare():
    """What differs is marked, what one lacks is a dash, columns are aligned."""
    shown = compare(
        {"sub": "alice", "aud": "a", "n": 1}, {"sub": "alice", "aud": ["b"], "act": {}}, ("old", "new")
    )
    assert shown.splitlines() == [
        "claim     old    new",
        "----------------------",
        "sub       alice  alice",
        'aud    *  a      ["b"]',
        "n      *  1      -",
        "act    *  -      {}",
    ]
