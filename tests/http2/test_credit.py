"""What the peer may send."""

from __future__ import annotations

import pytest

from proxy.http2.credit import CONNECTION_WINDOW, DEFAULT_WINDOW, STREAM_WINDOW, Credit, Window

MAX_HELD = 1024 * 1024


@pytest.mark.parametrize(
    ("left", "held", "more"),
    [
        (100, 0, 0),
        (76, 0, 0),  # too little for a frame
        (75, 0, 25),
        (0, 0, 100),
        (0, 90, 60),  # the limit is 150
        (0, 149, 1),  # who may send nothing gets whatever there is
        (10, 139, 0),
        (0, 150, 0),
        (0, 200, 0),
    ],
)
def test_a_window(left: int, held: int, more: int):
    """H2-10: what is held and what may come are bounded together."""
    window = Window(100, 150, left)
    window.held = held
    assert window.grant() == more
    assert window.left == left + more


def test_a_streams_credit_comes_back_as_it_is_consumed():
    """H2-10."""
    credit = Credit(MAX_HELD)
    credit.open(1)
    assert credit.receive(1, STREAM_WINDOW) == (False, True)  # the connection's is less as it begins
    assert credit.consume(1, STREAM_WINDOW // 2) == STREAM_WINDOW // 2
    assert credit.consume(1, STREAM_WINDOW) == STREAM_WINDOW // 2
    assert credit.held == 0


def test_the_connections_comes_back_at_once_until_it_holds_much():
    """H2-10: stalled streams hold what they hold, and no more than ``max_held`` altogether."""
    credit = Credit(MAX_HELD)
    given = DEFAULT_WINDOW + credit.grant()
    assert given == CONNECTION_WINDOW
    received = 0
    for stream_id in range(1, 1000, 2):
        credit.open(stream_id)
        for _ in range(STREAM_WINDOW // 1024):
            if received == given:
                break
            assert credit.receive(stream_id, 1024) == (True, True)
            received += 1024
            given += credit.grant()
    assert credit.held == received == MAX_HELD
    assert credit.consume(1, 2048) == 2048
    assert credit.grant() == 2048


def test_of_what_was_let_go_nothing_is_held():
    credit = Credit(MAX_HELD)
    credit.open(1)
    credit.receive(1, 1000)
    credit.close(1)
    assert credit.held == 0
    assert credit.consume(1, 1000) == 0
    assert credit.receive(1, 1000) == (True, True)
    assert credit.held == 0


def test_a_stream_that_has_ended_gets_no_more():
    """H2-10: it is held until it is consumed, and then forgotten."""
    credit = Credit(MAX_HELD)
    credit.open(1)
    credit.receive(1, 1000)
    credit.end(1)
    assert credit.held == 1000
    assert [credit.consume(1, size) for size in (400, 1000, 5)] == [0, 0, 0]
    assert credit.held == 0
    credit.open(3)
    credit.end(3)
    assert credit.consume(3, 1) == 0


def test_beyond_its_credit():
    credit = Credit(MAX_HELD)
    credit.open(1)
    credit.grant()
    assert credit.receive(1, STREAM_WINDOW) == (True, True)
    assert credit.receive(1, 1) == (True, False)
