"""Memory for the messages of all websockets together."""

from __future__ import annotations

import pytest

from proxy.websockets.allowance import FREE, Allowance


class Connection:
    """Gives up when told to."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.gave_up = False

    def give_up(self) -> None:
        self.gave_up = True
        self.allowance.note(self, 0)


def make(limit: int, number: int) -> tuple[Allowance, list[Connection]]:
    allowance = Allowance(limit)
    return allowance, [Connection(allowance) for _ in range(number)]


@pytest.mark.parametrize(
    ("sizes", "held"),
    [
        ([FREE], 0),
        ([FREE + 1], FREE + 1),
        ([FREE + 1, FREE + 5], FREE + 5),
        ([FREE + 5, FREE + 1], FREE + 1),
        ([FREE + 5, FREE], 0),
        ([FREE + 5, 0, 0], 0),
        ([0], 0),
    ],
)
def test_what_one_connection_holds(sizes: list[int], held: int):
    """F-36: little is not noted; what it says last counts."""
    allowance, (one,) = make(10 * FREE, 1)
    for size in sizes:
        allowance.note(one, size)
    assert allowance.held == held
    assert (one in allowance) is (held > 0)
    assert not one.gave_up


def test_who_holds_most_gives_up():
    """F-36: so that the others go on, be it he who asked for more or another."""
    allowance, (small, large, late) = make(6 * FREE, 3)
    allowance.note(small, 2 * FREE)
    allowance.note(large, 3 * FREE)
    allowance.note(late, 2 * FREE)
    assert [one.gave_up for one in (small, large, late)] == [False, True, False]
    assert allowance.held == 4 * FREE
    allowance.note(late, 5 * FREE)
    assert [one.gave_up for one in (small, late)] == [False, True]
    assert allowance.held == 2 * FREE


def test_one_that_wants_more_than_there_is():
    """F-36: it alone gives up, and all that it held is free again."""
    allowance, (other, greedy) = make(4 * FREE, 2)
    allowance.note(other, 2 * FREE)
    allowance.note(greedy, 5 * FREE)
    assert [one.gave_up for one in (other, greedy)] == [False, True]
    assert allowance.held == 2 * FREE


def test_the_bound_is_never_passed():
    """F-36: however many there are."""
    allowance, connections = make(8 * FREE, 100)
    for number, one in enumerate(connections):
        allowance.note(one, FREE + number)
        assert allowance.held <= allowance.limit
