"""Field lines to names and values, and which of them are remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.http.field_lines import FieldLines, read_field_line


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"Content-Type: text/plain", (b"content-type", b"text/plain")),
        (b"x:", (b"x", b"")),
        (b"X:\t a \tb \t", (b"x", b"a \tb")),
        (b"X: caf\xe9:1", (b"x", b"caf\xe9:1")),
        (b"!#$%&'*+.^_`|~09aZ-: 1", (b"!#$%&'*+.^_`|~09az-", b"1")),
    ],
)
def test_a_line_is_a_name_and_a_value(line: bytes, field: tuple[bytes, bytes]):
    """H-31: the name in lower case, the value without what stands around it."""
    assert read_field_line(line) == FieldLines(tuple).read(line) == field


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"",
            b"x",
            b": a",
            b" x: a",
            b"\tx: a",
            b"x : a",
            b"x y: a",
            b"x\t: a",
            b"(x): a",
            b"\xe9: a",
            b"x\0: a",
        ),
        *(b"x: a\0", b"x: a\r", b"x: a\n", b"x: a\nb: c", b"x: \x1b", b"x: \x7f", b"x: \x01"),
    ],
)
def test_what_is_no_field_line_is_refused(line: bytes):
    """H-43: nothing folded, no control character, no space before the colon."""
    with pytest.raises(ValueError, match="field line"):
        FieldLines(tuple).read(line)


@given(st.binary(max_size=40))
def test_no_bytes_make_another_line_of_a_value(data: bytes):
    """H-33: what passes can be written out again as the one line that it is."""
    try:
        name, value = read_field_line(b"x:" + data)
    except ValueError:
        return
    assert name == b"x"
    assert not set(value) & {0, 10, 13, 127}


def test_only_what_is_no_secret_is_remembered():
    """A line of another name may hold a secret, a long one costs more than it saves."""
    lines = FieldLines(tuple)
    for line in (b"Set-Cookie: a=b", b"X-Token: t", b"Location: /?code=c", b"Server: " + b"s" * 200):
        assert lines.read(line)[1]
        assert not lines.known
    assert lines.read(b"Server: s") is lines.known[b"Server: s"]


def test_the_memo_is_bounded():
    """An upstream that sends ever new lines fills no memory."""
    lines = FieldLines(tuple)
    for number in range(5000):
        assert lines.read(b"Content-Length: %d" % number)
        assert len(lines.known) <= 1024
