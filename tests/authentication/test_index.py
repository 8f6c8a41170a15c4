"""An index by identifiers."""

from __future__ import annotations

from proxy.authentication.index import Index


def test_items_are_found_by_each_identifier_until_they_go():
    """And leave nothing."""
    index: Index[str] = Index()
    index.add("a", (b"1", b"2"))
    index.add("b", (b"2",))
    index.add("b", (b"2",))
    assert (index.find(b"1"), index.find(b"2"), index.find(b"3")) == (("a",), ("a", "b"), ())
    index.discard("a", (b"1", b"2"))
    assert (index.find(b"1"), index.find(b"2"), len(index)) == ((), ("b",), 1)
    index.discard("b", (b"2",))
    index.discard("b", (b"2",))
    assert len(index) == 0


def test_items_keep_their_order_and_are_counted():
    """One stands for itself, several in a dictionary."""
    index: Index[str] = Index()
    counted = [index.count(b"1")]
    for item in ("a", "b", "c"):
        index.add(item, (b"1",))
        counted.append(index.count(b"1"))
    assert (counted, index.first(b"1")) == ([0, 1, 2, 3], "a")
    index.discard("a", (b"1",))
    index.discard("x", (b"1", b"9"))
    assert (index.first(b"1"), index.find(b"1")) == ("b", ("b", "c"))
    index.discard("b", (b"1",))
    index.discard("c", (b"1",))
    assert len(index) == 0
