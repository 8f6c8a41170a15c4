"""The fuzz targets' invariants over their seeds, and over what hypothesis makes of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str):
    """A-22, F-36, H2-03, H2-08, H2-13, H2-18, H-04, H-23, H-25, H-26, H-28, H-32, H-42, X-13:
    no seed breaks what must always hold.
    """
    for seed in TARGETS[name].seeds:
        TARGETS[name].check(seed)


ODDITIES = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"%2e", b".."]


@st.composite
def altered(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed with a few pieces cut out, doubled, or taken from elsewhere."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        end = min(end, start + draw(st.sampled_from([0, 1, 2, 16])))
        piece = draw(st.binary(max_size=3) | st.sampled_from([*ODDITIES, data[start:end]]))
        data = data[:start] + piece + data[end:]
    return data


ALTERED = {name: altered(list(target.seeds)) for name, target in TARGETS.items()}


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=75, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_altered_seeds(name: str, data: st.DataObject):
    """A-22, F-36, H2-03, H2-08, H2-13, H2-18, H-04, H-23, H-25, H-26, H-28, H-32, H-42, X-13:
    nor anything that is made of one.
    """
    TARGETS[name].check(data.draw(ALTERED[name]))
