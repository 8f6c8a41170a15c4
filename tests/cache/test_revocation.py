"""Revocations as replicas tell them, and those in force."""

import json

import pytest

from proxy.cache.revocation import MOST, Revocation, Revocations, Told, decode_told, encode_told

from ..support.issuer import StillClock

KEY = bytes(range(32))
ONE = Revocation("owner", KEY, 1000.5)
TWO = Revocation("owner", bytes(32), 2000.0)


@pytest.mark.parametrize("revocations", [(), (ONE,), (ONE, TWO)], ids=["none", "one", "two"])
def test_what_is_told_is_heard(revocations):
    """Kinds, keys and times come through as they were."""
    assert decode_told(encode_told("me", revocations)) == Told("me", revocations, whole=True)


def listed(*revocations: object) -> bytes:
    return json.dumps({"teller": "me", "revocations": revocations}).encode()


GOOD = json.loads(encode_told("me", (ONE,)))["revocations"][0]


@pytest.mark.parametrize(
    ("content", "heard"),
    [
        (listed(GOOD, ["claim", GOOD[1], 1]), (ONE,)),
        (listed(["owner", "AAAA", 1], GOOD), (ONE,)),
        (listed(["owner", "not base64!", 1]), ()),
        (listed(["owner", GOOD[1], "1"]), ()),
        (listed(["owner", GOOD[1], 10**400]), ()),
        (listed(["owner", GOOD[1]]), ()),
        (listed([*GOOD, "more"]), ()),
        (listed("owner"), ()),
        (listed(None), ()),
    ],
    ids=[
        "kind to come",
        "short key",
        "no base64",
        "no time",
        "no number",
        "too few",
        "too many",
        "text",
        "null",
    ],
)
def test_what_another_version_tells_is_heard_as_far_as_it_is_known(content, heard):
    """The rest is not passed over in silence: it was not whole."""
    assert decode_told(content) == Told("me", heard, whole=False)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"{}", b"[]", b"1", b'{"teller": "me", "revocations": 1}', b'{"teller": "me"}']
)
def test_what_has_another_shape_says_nothing(content):
    """And nobody is skipped as its teller."""
    assert decode_told(content) == Told("", (), whole=False)


def test_revocations_in_force():
    """The latest for a key counts, until they all have ended."""
    clock = StillClock()
    revocations = Revocations(3600, clock)
    assert revocations.not_before("owner", KEY) == 0
    revocations.add(ONE)
    revocations.add(ONE._replace(not_before=999.0))
    assert revocations.not_before("owner", KEY) == 1000.5
    assert revocations.not_before("other", KEY) == 0
    clock.advance(3600)
    assert revocations.not_before("owner", KEY) == 0


def test_revocations_in_force_are_bounded():
    """One of the oldest leaves for each that comes."""
    revocations = Revocations(3600, StillClock())
    for number in range(MOST + 10):
        revocations.add(Revocation("owner", number.to_bytes(32, "big"), 1.0))
    gone = [n for n in range(MOST + 10) if not revocations.not_before("owner", n.to_bytes(32, "big"))]
    assert len(gone) == 10
    assert max(gone) < MOST / 100
