"""Values that open under their own name and key alone."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cache.shared.sealing import SealingKey, parse_key_file

KEY = SealingKey(bytes(32))
OTHER = SealingKey(b"\x01" * 32)


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=50))
def test_what_is_sealed_opens_under_its_name(value, name):
    """C-20: the value comes back as it was."""
    assert KEY.open(name, KEY.seal(name, value)) == value


def test_it_opens_under_no_other_name():
    """C-20: the name is authenticated, so two values cannot change places."""
    assert KEY.open(b"bob", KEY.seal(b"alice", b"value")) is None


def test_it_opens_with_no_other_key():
    """C-20: another key's value is not there."""
    assert OTHER.open(b"alice", KEY.seal(b"alice", b"value")) is None


def test_no_bit_can_be_changed():
    """C-20: version, key id, nonce, ciphertext and tag are all authenticated."""
    sealed = KEY.seal(b"alice", b"value")
    for index in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[index // 8] ^= 1 << index % 8
        assert KEY.open(b"alice", bytes(changed)) is None


def test_nothing_shorter_opens():
    """C-20: garbage of any length is not there, and no error."""
    sealed = KEY.seal(b"alice", b"value")
    assert all(KEY.open(b"alice", sealed[:size]) is None for size in range(len(sealed)))
    assert KEY.open(b"alice", os.urandom(100)) is None


def test_no_two_writes_are_alike():
    """C-20: a nonce of its own for each write."""
    assert len({KEY.seal(b"alice", b"value") for _ in range(100)}) == 100


def test_names_tell_nothing_and_differ():
    """C-20: a name depends on kind, digest and key, and shows none of them."""
    names = {
        KEY.name(b"answer", b"alice"),
        KEY.name(b"lease", b"alice"),
        KEY.name(b"answer", b"bob"),
        OTHER.name(b"answer", b"alice"),
    }
    assert len(names) == 4
    assert all(len(name) == 32 and b"alice" not in name for name in names)


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode], ids=["plain", "urlsafe"])
def test_the_key_file_has_one_key_a_line(encode):
    """C-20: blank lines and line ends of any kind do not matter."""
    secrets = [os.urandom(32), b"\xff" * 32]
    keys = parse_key_file(b"\r\n\n".join(map(encode, secrets)) + b"\n")
    for secret, key in zip(secrets, keys, strict=True):
        assert key.open(b"n", SealingKey(secret).seal(b"n", b"v")) == b"v"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no key in it"),
        (b" \n", "no key in it"),
        (base64.b64encode(bytes(31)), "line 1 is not 32 bytes"),
        (base64.b64encode(bytes(32)) + b"\nnot base64 at all!", "line 2 is not 32 bytes"),
        (b"hunter2hunter2hunter2hunter2", "line 1 is not 32 bytes"),
    ],
    ids=["empty", "blank", "short", "garbage", "password"],
)
def test_a_key_file_that_holds_no_keys_is_refused(content, message):
    """The fault names the line and shows nothing of it."""
    with pytest.raises(ValueError, match=message) as caught:
        parse_key_file(content)
    assert "hunter2" not in str(caught.value)
