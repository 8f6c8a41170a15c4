"""An answer of the authorization server, and foreign text for a log."""

from __future__ import annotations

import pytest

from proxy.exchange.answer import Answer, parse_date, show

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"", None),
        (b"null", None),
        (b"[1]", None),
        (b"<html>", None),
        (b'{"a": 1, "a": 2}', None),
        (b'{"a": 1', None),
        (b"\xff{}", None),
        (b"[" * 100_000, None),
    ],
)
def test_a_body_is_a_document_or_none(body: bytes, document: object):
    """X-13: a JSON object that reads in one way."""
    assert Answer(200, {}, body).document == document


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sat, 21 Nov 2026 12:00:00 GMT", 1_795_262_400.0),
        ("Saturday, 21-Nov-26 12:00:00 GMT", 1_795_262_400.0),
        ("", None),
        ("yesterday", None),
        ("Sat, 21 Nov 99999 12:00:00 GMT", None),
        ("Sat, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_dates(text: str, seconds: float | None):
    """X-10: the server's clock, where it tells it in the way that is still used (RFC 9110 §5.6.7)."""
    assert parse_date(text) == seconds
    assert Answer(200, {"date": text}).date == seconds


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("two\r\nlines\x1b[31m", "two lines [31m"),
        ("caf\u00e9", "caf"),
        (f"the token {TOKEN} is bad", "the token [hidden] is bad"),
        ("key " + "a" * 40, "key [hidden]"),
        ("it was canary-secret, really", "it was [hidden], really"),
        ("short: abc", "short: abc"),
        ("x " * 500, ("x " * 150).strip()),
        (None, ""),
        (5, ""),
        ({"a": 1}, ""),
    ],
)
def test_foreign_text_is_shown_safely(text: object, shown: str):
    """X-14, X-21: short, on one line, and without what may be a credential."""
    assert show(text, ["canary-secret", "abc"]) == shown


def test_nothing_of_an_answer_is_shown_by_itself():
    """X-14: its body may hold a token, its fields a nonce."""
    assert repr(Answer(200, {"a": "canary"}, b"canary")) == "Answer(status=200)"
