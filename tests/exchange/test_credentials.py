"""What proves who we are, whichever way it is."""

from __future__ import annotations

import pytest

from proxy.exchange.credentials import Alternation, Credentials, Validity, build_ended

FIRST, SECOND = (b"first", 1), (b"second", 2)


@pytest.mark.parametrize(
    ("refused", "candidates", "chosen"),
    [
        ([], [FIRST, SECOND], FIRST),
        ([b"first"], [FIRST, SECOND], SECOND),
        ([b"first", b"second"], [FIRST, SECOND], FIRST),
        ([b"second"], [FIRST, SECOND], FIRST),
        ([b"first"], [FIRST], FIRST),
        ([b"first"], [SECOND, FIRST], SECOND),
        ([b"gone"], [FIRST, SECOND], FIRST),
    ],
    ids=[
        "at first",
        "the first",
        "both in turn",
        "the second",
        "the only one",
        "swapped",
        "one that is gone",
    ],
)
def test_which_of_two_goes_first(refused: list[bytes], candidates: list[tuple[bytes, int]], chosen: object):
    """X-11: the file's first, unless it was refused last and there is another."""
    alternation = Alternation()
    for source in refused:
        alternation.refuse(source)
    assert alternation.choose(candidates) == chosen


@pytest.mark.parametrize(
    ("expires_at", "ended"), [(None, False), (101.0, False), (100.0, True), (99.0, True)]
)
def test_when_a_validity_has_ended(expires_at: float | None, ended: bool):
    """What tells no end has none."""
    assert Validity("key", "/key.pem", expires_at=expires_at).has_ended(100.0) is ended


TOLD = "the certificate in /c.pem ended at 2026-11-21T12:00:00Z (exp 1795262400)"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (None, TOLD),
        ("no PEM", f"{TOLD}; as it is now it cannot be used: no PEM"),
    ],
)
def test_what_is_said_of_one_that_has_ended(fault: str | None, reason: str):
    """Which file, when, and why the new one does not stand in for it."""
    refusal = build_ended(Validity("certificate", "/c.pem", 0.0, 1_795_262_400.0, fault), "Renew it.")
    assert (str(refusal), refusal.remedy, refusal.status) == (reason, "Renew it.", 502)


def test_no_secret_is_shown():
    """X-14: neither the field, the form nor what they were made from."""
    shown = repr(Credentials("Basic canary", [("client_secret", "canary")], b"canary", signed=True))
    assert "canary" not in shown
