"""Who leaves a table that is full, and how little is done to it at once."""

from __future__ import annotations

import gc
import random
import sys
from dataclasses import dataclass

import pytest

from proxy.authentication.segments import SEGMENTS, Bounded, SecondChances, Segments


@dataclass
class Value:
    used: bool = False


def put(table: SecondChances[int, Value], *keys: int) -> None:
    for key in keys:
        leaving = table.find_leaving(key)
        if leaving is not None:
            del table.of(leaving)[leaving]
        table.of(key)[key] = Value()


def held(table: SecondChances[int, Value]) -> set[int]:
    return {key for segment in table.segments for key in segment}


def test_the_oldest_that_was_not_used_leaves():
    """A use counts once."""
    table: SecondChances[int, Value] = SecondChances(3)
    put(table, 1, 2, 3)
    table.of(1)[1].used = True
    put(table, 4)
    assert held(table) == {1, 3, 4}
    put(table, 5, 6)
    assert held(table) == {4, 5, 6} or held(table) == {1, 5, 6}


def test_the_bound_holds_whoever_leaves_by_himself():
    """There are never more than may be, and nobody has to leave while there is room."""
    table: SecondChances[int, Value] = SecondChances(100)
    generator = random.Random(1)
    for key in range(10_000):
        before = len(table)
        put(table, key)
        assert len(table) == min(before + 1, 100)
        if generator.random() < 0.3:
            gone = generator.choice(tuple(held(table)))
            del table.of(gone)[gone]
        if key == 5_000:
            for gone in held(table):
                del table.of(gone)[gone]


def test_somebody_leaves_where_all_are_used():
    """After a bounded number of looks."""
    table: SecondChances[int, Value] = SecondChances(1000)
    put(table, *range(1000))
    for value in table.values():
        value.used = True
    put(table, 1000)
    assert len(table) == 1000
    assert sum(not value.used for value in table.values()) < 20


def test_a_large_table_is_in_many_segments():
    """C-17: what is copied at once when one grows is a small part; the bound is one for all."""
    table: SecondChances[int, Value] = SecondChances(100_000)
    generator = random.Random(1)
    put(table, *(generator.getrandbits(60) for _ in range(20_000)))
    assert len(table.segments) == SEGMENTS
    assert max(map(len, table.segments)) < 20_000 / SEGMENTS * 1.5
    small: SecondChances[int, Value] = SecondChances(2_000)
    put(small, *(generator.getrandbits(60) for _ in range(20_000)))
    assert len(small) == 2_000


def test_each_key_has_one_place():
    segments: Segments[bytes, int] = Segments()
    for number in (*range(1000), *range(1000)):
        segments.put(b"%d" % number, number)
    assert (len(segments), sorted(segments.values())) == (1000, list(range(1000)))
    assert all(segments.get(b"%d" % number) == number for number in range(1000))
    segments.discard(b"1")
    segments.discard(b"1")
    assert (len(segments), segments.get(b"1")) == (999, None)


def test_the_oldest_of_a_full_table_leaves():
    """Whoever is put again is the youngest."""
    table: Bounded[int, int] = Bounded(3)
    for key in (1, 2, 1, 3):
        assert table.find_leaving(key) is None
        table.put(key, key)
    assert table.find_leaving(4) == 2


def test_values_are_asked_for_while_others_come_and_go():
    """C-17: so that nobody needs a list of all."""
    segments: Segments[int, int] = Segments(4)
    for number in range(400):
        segments.put(number, number)
    seen = set()
    for value in segments.values():
        seen.add(value)
        segments.discard(value)
        segments.put(1000 + value, 1000 + value)
    assert seen >= set(range(400))


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="of CPython's collector")
@pytest.mark.parametrize("table", [Segments(4), Bounded(10_000), SecondChances(10_000)])
def test_a_collection_looks_through_none_of_it(table: Segments[int, Value]):
    """C-17: whatever is put there, and whenever."""
    for number in range(1000):
        table.put(number, Value())
        table.discard(number - 500)
    assert not any(map(gc.is_tracked, table.segments))
