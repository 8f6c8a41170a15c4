"""The wire format of Protocol Buffers: what is written, and what is no message."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.authorizer.protobuf import read_bytes, read_fields, read_one, write_bytes, write_number


@pytest.mark.parametrize(
    ("written", "encoded"),
    [
        (write_number(1, 150), "089601"),
        (write_bytes(2, b"testing"), "120774657374696e67"),
        (write_bytes(3, write_number(1, 150)), "1a03089601"),
        (write_number(16, 0), "800100"),
    ],
)
def test_the_examples_of_the_specification(written: bytes, encoded: str):
    """protobuf.dev: Encoding."""
    assert written.hex() == encoded


@given(st.lists(st.tuples(st.integers(1, 2**29 - 1), st.integers(0, 2**64 - 1) | st.binary(max_size=300))))
def test_what_is_written_is_read(fields):
    message = b"".join(
        write_bytes(number, value) if isinstance(value, bytes) else write_number(number, value)
        for number, value in fields
    )
    assert list(read_fields(message)) == fields


def test_fields_of_other_kinds_are_passed_over():
    """Fixed ones: of 64 bits, of 32."""
    message = bytes.fromhex("09 0102030405060708 15 01020304") + write_bytes(3, b"x")
    assert read_one(message, 3) == b"x"
    assert [number for number, _ in read_fields(message)] == [1, 2, 3]


@pytest.mark.parametrize(
    "encoded",
    [
        "0a",
        "0a05616263",
        "08",
        "08ffffffffffffffffffff01",
        "0b",
        "0c",
        "0e",
        "09010203",
        "ff",
        "0affffffffffffffff7f",
    ],
)
def test_what_is_no_message_is_refused(encoded: str):
    """Cut, without an end, of an unknown kind, or longer than it is."""
    with pytest.raises(ValueError, match=r"a (field|number)"):
        list(read_fields(bytes.fromhex(encoded)))


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(message: bytes):
    with contextlib.suppress(ValueError):
        list(read_fields(message))


def test_repeated_fields_and_others():
    message = write_bytes(1, b"a") + write_number(1, 5) + write_bytes(1, b"b") + write_bytes(2, b"c")
    assert list(read_bytes(message, 1)) == [b"a", b"b"]
    assert (read_one(message, 2), read_one(message, 3)) == (b"c", b"")
    with pytest.raises(ValueError, match="twice"):
        read_one(message, 1)
