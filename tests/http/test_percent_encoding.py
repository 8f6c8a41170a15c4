"""RFC 3986 §2.1: every reading of a percent-encoded text."""

from __future__ import annotations

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.http.percent_encoding import MOST_DECODINGS, decode_repeatedly


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        (b"", [b""]),
        (b"plain+text", [b"plain+text"]),
        (b"a%2Bb", [b"a%2Bb", b"a+b"]),
        (b"a%2bb%zz%", [b"a%2bb%zz%", b"a+b%zz%"]),
        (b"%zz%4", [b"%zz%4"]),
        (b"100%25", [b"100%25", b"100%"]),
        (b"%2541", [b"%2541", b"%41", b"A"]),
        (b"%25%32%35%34%31", [b"%25%32%35%34%31", b"%2541", b"%41", b"A"]),
        (b"%%34%31", [b"%%34%31", b"%41", b"A"]),
    ],
)
def test_readings(text, readings):
    """H-04: what is no escape stays; the rest is decoded until nothing changes."""
    assert decode_repeatedly(text) == readings


def test_depth_is_bounded():
    """H-04: what is encoded more often is no text at all."""
    deepest = b"%" + b"25" * (MOST_DECODINGS - 1) + b"41"
    assert decode_repeatedly(deepest)[-1] == b"A"
    with pytest.raises(ValueError, match="more than"):
        decode_repeatedly(deepest.replace(b"41", b"2541"))


@given(st.binary(max_size=40), st.integers(0, MOST_DECODINGS - 1))
def test_any_text_is_found_again(data, times):
    """However often it is encoded, the text is among the readings."""
    encoded = data
    for _ in range(times):
        encoded = quote_from_bytes(encoded, safe="").encode()
    try:
        assert data in decode_repeatedly(encoded)
    except ValueError:
        assert b"%" in data
