"""Subject identifiers: whom an event means, on both sides."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.authentication.subject_identifier import (
    Org,
    Subject,
    build_identifier,
    build_identify,
    parse_subjects,
)


@pytest.mark.parametrize(
    ("value", "subjects"),
    [
        ({"format": "email", "email": "u@x"}, [("email", "u@x")]),
        ({"format": "opaque", "id": "1"}, [("id", "1")]),
        ({"format": "account", "uri": "acct:u@x"}, [("uri", "acct:u@x")]),
        ({"format": "phone_number", "phone_number": "+1"}, [("phone_number", "+1")]),
        ({"format": "complex", "user": {"format": "email", "email": "u@x"}, "tenant": {}}, [("email", "u@x")]),
        ({"user": {"format": "email", "email": "u@x"}}, [("email", "u@x")]),
        (
            {"format": "aliases", "identifiers": [{"format": "email", "email": "a"}, {"format": "opaque", "id": "1"}]},
            [("email", "a"), ("id", "1")],
        ),
    ],
)  # fmt: skip
def test_subjects(value: Any, subjects: list[tuple[str, str]]):
    """RFC 9493 §3.2, and complex ones."""
    assert [(each.member, each.value) for each in parse_subjects(value)] == subjects


@pytest.mark.parametrize(
    "value",
    [
        None, [], "u@x", {}, {"format": None}, {"format": []}, {"format": "email"}, {"format": "email", "email": 1},
        {"format": "email", "email": ""}, {"format": "email", "email": "a\nb"}, {"format": "email", "email": "x" * 256},
        {"format": "iss_sub", "sub": "1"}, {"format": "iss_sub", "iss": 1, "sub": "1"}, {"format": "complex"},
        {"format": "complex", "user": None}, {"format": "complex", "user": {"format": "complex", "user": {}}},
        {"user": {"user": {"format": "email", "email": "u@x"}}}, {"format": "aliases", "identifiers": []},
        {"format": "aliases", "identifiers": [{"format": "aliases", "identifiers": []}]},
        {"format": "aliases", "identifiers": [{"format": "email", "email": "u@x"}] * 17}, {"format": "ip", "ip": "::1"},
    ],
)  # fmt: skip
def test_subjects_that_name_nobody(value: Any):
    """What cannot be read in one way only, or without end."""
    with pytest.raises(ValueError, match=r"subject|aliases"):
        parse_subjects(value)


ORG = Org(
    "https://o", frozenset({"https://o/oauth2/a"}), {"sub": "uid", "email": "login"}, lambda *_: b"owner"
)


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        (Subject("sub", "1", "https://o"), build_identifier("https://o", "sub", "1")),
        (Subject("sub", "1", "https://o/oauth2/a"), b"owner"),
        (Subject("sub", "1", "https://o/oauth2/b"), None),
        (Subject("email", "U@X"), build_identifier("https://o", "email", "u@x")),
        (Subject("id", "1"), None),
    ],
)
def test_both_sides_meet(subject: Subject, found: bytes | None):
    """By the org's terms, or by the very subject of a token; addresses in any case."""
    assert ORG.find(subject) == found
    known = ORG.identify({"uid": "1", "login": "u@X", "sub": "x"})
    assert (found in known) == (found not in (None, b"owner"))


def test_claims_that_are_no_text_name_nobody():
    """Nor those that are not there."""
    assert ORG.identify({"uid": 1, "login": ["u@x"]}) == ()
    assert ORG.identify({}) == ()


def test_only_tokens_that_an_org_speaks_for_are_identified():
    """By issuer and subject, too; what nobody speaks for costs nothing."""
    identify = build_identify([ORG], lambda *_: b"owner")
    claims = {"iss": "https://o/oauth2/a", "sub": "x", "uid": "1"}
    assert identify(claims) == (b"owner", build_identifier("https://o", "sub", "1"))
    assert identify(claims | {"iss": "https://o/oauth2/b"}) == ()


def test_a_repr_names_nobody():
    assert repr(Subject("email", "a@b.example")) == "Subject(member='email', issuer=None)"
