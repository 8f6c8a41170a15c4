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
