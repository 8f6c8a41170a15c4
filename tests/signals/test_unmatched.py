"""Users whom no event of some kind could mean."""

from __future__ import annotations

import pytest

from proxy.authentication.subject_identifier import Org, build_identify
from proxy.signals.unmatched import TellUnmatched

ISSUER = "https://o/oauth2/a"
ORG = Org("https://o", frozenset({ISSUER}), {"sub": "uid", "email": "sub"}, lambda *_: b"owner")


def test_a_claim_that_is_missing_is_told_of_once(caplog: pytest.LogCaptureFixture):
    """By its name, and nothing of the user."""
    plain = build_identify([ORG], ORG.build_owner)
    identify = TellUnmatched([ORG], plain)
    for claims in ({"iss": ISSUER, "sub": "a@b", "uid": "1"}, {"iss": "https://other", "sub": "a@b"}):
        assert identify(claims) == plain(claims)
    assert caplog.records == []
    for uid in (None, 7):
        assert identify({"iss": ISSUER, "sub": "a@b", "uid": uid}) == plain({"iss": ISSUER, "sub": "a@b"})
    (record,) = caplog.records
    assert (record.levelname, vars(record)["claim"], vars(record)["member"]) == ("WARNING", "uid", "sub")
    assert "a@b" not in str(vars(record))
