"""Canonical base64url and JSON that reads in one way only."""

import json
from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.jose.encoding import MAX_DEPTH, decode_base64url, encode_base64url, parse_json_object


@given(st.binary())
def test_round_trip(data):
    """Bytes survive being written and read."""
    assert decode_base64url(encode_base64url(data)) == data


@pytest.mark.parametrize(
    "text", ["A", "AQ==", "AR", "AQ\n", " AQ", "A+8", "A/8", "AQ!!!!", "é", "A=Q", "=", "AQ="]
)
def test_not_canonical(text):
    """A-23: padding, spare bits, whitespace and the other alphabet are refused."""
    with pytest.raises(ValueError):  # noqa: PT011  binascii.Error and UnicodeError are among them
        decode_base64url(text)


@given(st.text(max_size=12))
def test_one_spelling(text):
    """A-23: whatever is accepted is the one spelling of its bytes."""
    try:
        data = decode_base64url(text)
    except ValueError:
        return
    assert encode_base64url(data) == text


@pytest.mark.parametrize(("start", "values"), [("", 1 << 8), ("A", 1 << 10), ("AA", 1 << 12), ("AAA", 0)])
def test_no_spare_spellings(start, values):
    """A-23: of all two characters that may come last, as many are accepted as there are values, each once."""
    spelled = []
    for first, second in product(map(chr, range(256)), repeat=2):
        with suppress(ValueError):
            spelled.append(decode_base64url(start + first + second))
    assert len(spelled) == len(set(spelled)) == values


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"a":1}x', id="trailing"),
        pytest.param(b'{"a":1,"a":2}', id="duplicate"),
        pytest.param(b'{"a":{"b":1,"\\u0062":2}}', id="duplicate inside, spelled otherwise"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', id="byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), id="utf-16"),
        pytest.param('{"a":1}'.encode("utf-16-le"), id="utf-16 without mark"),
        pytest.param(b'{"a":"\xff"}', id="not utf-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="surrogate in utf-8"),
        pytest.param(b'{"a":"\\ud800"}', id="lone surrogate"),
        pytest.param(b'{"\\udc00":1}', id="lone surrogate in a name"),
        pytest.param(b'{"a":NaN}', id="nan"),
        pytest.param(b'{"a":-Infinity}', id="infinity"),
        pytest.param(b'{"a":1e400}', id="too large"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="too many digits"),
        pytest.param(b'{"a":"\n"}', id="control character"),
        pytest.param(b'{"a":' * 33 + b"1" + b"}" * 33, id="objects too deep"),
        pytest.param(b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", id="lists too deep"),
        pytest.param(b'{"a":' + b"[" * 100_000, id="far too deep"),
        pytest.param(b'{"a":' * 100_000, id="far too deep objects"),
    ],
)
def test_refused(data):
    """A-14: what two readers could read in two ways is not read at all."""
    with pytest.raises(ValueError):  # noqa: PT011
        parse_json_object(data)


def test_any_depth():
    """A-14: what is too deep is refused as such at every depth, whatever else would have to be looked at."""
    for depth in range(MAX_DEPTH, 1200):
        with pytest.raises(ValueError, match="too deeply"):
            parse_json_object(b'{"a":' + b"[" * depth + b'"\\u0041"' + b"]" * depth + b"}")


def test_depth_and_escapes_accepted():
    """A-14: 32 levels are read, and so are escapes that spell real characters."""
    nested: object = 1
    for _ in range(MAX_DEPTH - 1):
        nested = [nested]
    value = {"a": nested, "b": "é😀\n", "c": 1.5}
    assert parse_json_object(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes(data):
    """A-22: any bytes are an object or a ValueError."""
    try:
        assert isinstance(parse_json_object(data), dict)
    except ValueError:
        return
