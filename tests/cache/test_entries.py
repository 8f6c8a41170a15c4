"""When a token may no longer be given; how many entries there are and who leaves is shown with ``token_cache``."""

from __future__ import annotations

import pytest

from proxy.cache.entries import UNKNOWN_LIFETIME, find_bound

from ..support.caching import START, make_access_token

INF = float("inf")


@pytest.mark.parametrize(
    ("token_ends_in", "subject_ends_in", "obtained_ago", "bound"),
    [
        (100, INF, 0, 100),
        (100, 50, 0, 50),
        (100_000, 100_000, 0, 3600),
        (100_000, 100_000, 600, 3000),
        (None, INF, 0, UNKNOWN_LIFETIME),
        (None, 10, 0, 10),
        (None, INF, 20, UNKNOWN_LIFETIME - 20),
        (-5, INF, 0, -5),
    ],
    ids=[
        "its own end",
        "the subject token's",
        "max_ttl",
        "max_ttl since it was got",
        "not told",
        "not told, but the user's",
        "not told, and got before",
        "over",
    ],
)
def test_the_end_of_a_token(
    token_ends_in: float | None, subject_ends_in: float, obtained_ago: float, bound: float
):
    """C-10, C-11: the least of all that limit it, another replica's time with it included."""
    token = make_access_token("t", None if token_ends_in is None else START + token_ends_in)
    assert find_bound(token, START + subject_ends_in, START - obtained_ago, 3600.0) == START + bound
