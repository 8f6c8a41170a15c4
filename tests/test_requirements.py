"""Every requirement that a release needs has a test that shows it; ``python -m tests.requirements`` lists them."""

from __future__ import annotations

from .requirements import find_tests


def ids(**numbers: str) -> set[str]:
    return {f"{area}-{number}" for area, listed in numbers.items() for number in listed.split()}


# A: the caller's credential. K: signing keys. X: the exchange. D: DPoP. C: the cache. H: HTTP. F: faults. O: operation.
BLOCKING = ids(
    A="01 02 03 04 06 07 08 09 10 11 12 13 16 17 18 20 21 22",
    K="01 02 04 05 06 07",
    X="01 02 03 04 05 08 09 11 12 13 14 20 21",
    D="02 03 04 06",
    C="01 02 03 04 05 06 07 10 11 12 14 15 16 17 21 24",
    H="01 02 03 04 05 20 21 22 23 27 28 29 30 31 32 33 40 41 42 48 51 60 64 65 66",
    F="01 02 03 10 11 12 20 21 22 23 24 30 31 32 34 38",
    O="01 02",
)
NEEDED = ids(
    A="05 14 15 19 23 24 25 27",
    K="03 08",
    X="06 07 10 22 23 24",
    D="01 05",
    C="13 18 19 20 22 23",
    H="06 07 24 25 26 34 35 36 37 39 43 44 45 46 47 50 52 61 62 63",
    F="13 14 25 33 35 36 37 39",
    O="03 04 05 06",
)
WISHED = ids(A="26", K="09", C="25", H="38", O="07")


def test_every_requirement_is_shown():
    """What blocks a release, and what it needs, is named by at least one test."""
    missing = (BLOCKING | NEEDED) - set(find_tests())
    assert not missing, f"no test shows {sorted(missing)}"


def test_no_id_is_invented():
    """A test that names a requirement names one that there is."""
    unknown = {name: tests for name, tests in find_tests().items() if name not in BLOCKING | NEEDED | WISHED}
    assert not unknown
