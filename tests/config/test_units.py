"""Durations, sizes and networks as they are spelled."""

from __future__ import annotations

import math
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.config.units import LONGEST, Duration, Network, Size

DURATION, SIZE = TypeAdapter(Duration), TypeAdapter(Size)
NETWORK: TypeAdapter[Any] = TypeAdapter(Network)


@pytest.mark.parametrize(
    ("spelled", "seconds"),
    [
        (30, 30.0), (0, 0.0), (0.5, 0.5), ("30", 30.0), ("500ms", 0.5), ("1.5s", 1.5), ("5m", 300.0), ("2h", 7200.0),
        (LONGEST, LONGEST), ("8784h", LONGEST),
    ],
)  # fmt: skip
def test_durations(spelled: Any, seconds: float):
    """A bare number is seconds."""
    assert DURATION.validate_python(spelled) == seconds


@pytest.mark.parametrize(
    "spelled",
    [
        "", "s", "30 s", "-1", -1, "1d", "1S", ".5s", "1.s", "1,5s", "1e3", True, None, [], math.inf, math.nan,
        LONGEST + 1, "8785h", "5m\n", "\u0665s",
    ],
)  # fmt: skip
def test_what_is_no_duration(spelled: Any):
    """O-06: neither below nought nor longer than a year, which is a mistake in the unit."""
    with pytest.raises(ValidationError):
        DURATION.validate_python(spelled)


@pytest.mark.parametrize(
    ("spelled", "size"),
    [(65536, 65536), ("65536", 65536), ("64KiB", 65536), ("1MiB", 1024**2), ("2GiB", 2 * 1024**3), ("1B", 1)],
)
def test_sizes(spelled: Any, size: int):
    """A bare number is bytes; units are powers of 1024."""
    assert SIZE.validate_python(spelled) == size


@pytest.mark.parametrize(
    "spelled", ["", "0", 0, -1, "64KB", "64kib", "64 KiB", "1.5MiB", 1.5, True, None, "9" * 19, "1MiB\n"]
)
def test_what_is_no_size(spelled: Any):
    """O-06: kB and KB are not read as one or the other."""
    with pytest.raises(ValidationError):
        SIZE.validate_python(spelled)


@pytest.mark.parametrize("spelled", ["10.0.0.0/8", "10.0.0.1", "::1", "fc00::/7", ip_network("10.0.0.0/8")])
def test_networks(spelled: Any):
    """One address is a network of one."""
    assert NETWORK.validate_python(spelled) == ip_network(spelled)


@pytest.mark.parametrize("spelled", ["", "10.0.0.1/8", "10.0.0.0/33", "localhost", 10, None, "10.0.0.0/8 "])
def test_what_is_no_network(spelled: Any):
    """H-50: bits beside the mask are a mistake, not an address to be cut."""
    with pytest.raises(ValidationError):
        NETWORK.validate_python(spelled)
