"""RFC 6455 §7.4: what a close means to the other side."""

from __future__ import annotations

import pytest
from websockets.frames import CloseCode

from proxy.websockets.closing import build_closed


@pytest.mark.parametrize("lost", [CloseCode.GOING_AWAY, CloseCode.INTERNAL_ERROR])
@pytest.mark.parametrize(
    ("code", "told"),
    [
        (1000, 1000),
        (1001, 1001),
        (1008, 1008),
        (1011, 1011),
        (3000, 3000),
        (4401, 4401),
        (1005, 1000),
        (1006, None),
        (1015, None),
    ],
)
def test_what_the_other_side_is_told(code: int, told: int | None, lost: CloseCode):
    """H-63: the same code, but for those that are never sent: no code is a normal end, a loss is ours to tell."""
    closed = build_closed(code, "why", lost=lost)
    assert (closed.code, closed.reason) == (lost if told is None else told, "why")
