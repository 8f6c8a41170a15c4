"""What is held is found, and goes with the last who holds it."""

from __future__ import annotations

from weakref import WeakValueDictionary

from proxy.cache.held import Held


def test_it_is_found_while_somebody_holds_it():
    found: WeakValueDictionary[str, Held[int]] = WeakValueDictionary()
    held = found.setdefault("a", Held(1))
    assert found["a"].value == 1
    del held
    assert "a" not in found
