"""The key file, and the names that its keys give."""

from base64 import b64encode

import pytest

from proxy.cache.key import CacheKey
from proxy.cache.shared.keys import KeyFile, build_generation_name, build_names, build_stream_name
from proxy.cache.shared.sealing import SealingKey
from proxy.config.faults import ConfigurationError

from .building import build, write_keys


def test_a_key_file_without_keys_is_refused(tmp_path):
    """The fault names the line, and nothing of its content."""
    with pytest.raises(ConfigurationError, match="line 1 is not 32 bytes in base64"):
        build("valkey://127.0.0.1", write_keys(tmp_path, b"hunter2"))


def test_the_key_file_is_read_again_when_it_changes(tmp_path):
    """C-20: a key is rotated without a restart; an unsound file leaves the keys that were read last."""
    path = write_keys(tmp_path)
    keys = KeyFile(path)
    (old,) = keys()
    write_keys(tmp_path, b64encode(b"\x01" * 32) + b"\n" + b64encode(bytes(32)))
    new, same = keys()
    assert same.open(b"n", old.seal(b"n", b"v")) == b"v"
    assert new.open(b"n", old.seal(b"n", b"v")) is None
    write_keys(tmp_path, b"half a ke")
    assert keys() == (new, same)


ONE, OTHER = SealingKey(bytes(32)), SealingKey(b"\x01" * 32)
KEY = CacheKey(b"o" * 32, b"d" * 32)


def names(sealing_key: SealingKey = ONE, key: CacheKey = KEY, asker: bytes = b"a") -> list[bytes]:
    found = build_names(sealing_key, key, asker)
    return [found.answer, found.refusal, *found.generations, found.lease]


def test_names_are_apart_and_say_nothing():
    """C-20: each is a keyed hash, and no two are alike."""
    found = [*names(), build_stream_name(ONE)]
    assert len(set(found)) == 5
    assert not any(secret in name for name in found for secret in (b"oooo", b"dddd"))


def test_an_owners_names_lie_together():
    """In a cluster one hash tag is one slot; everybody else's have another."""
    assert len({tag(name) for name in [*names(), *names(key=CacheKey(KEY.owner, b"e" * 32))]}) == 1
    assert tag(names()[0]) != tag(names(key=CacheKey(b"p" * 32, KEY.digest))[0])
    assert build_names(ONE, KEY).generations == (build_generation_name(ONE, KEY.owner),)


def test_who_acts_has_a_generation_as_well():
    """The very one that ends with what is that one's own."""
    actor = CacheKey(b"a" * 32, b"d" * 32)
    acted = build_names(ONE, KEY._replace(actor=actor.owner))
    assert acted.generations == (*build_names(ONE, KEY).generations, *build_names(ONE, actor).generations)


def tag(name: bytes) -> bytes:
    return name[name.index(b"{") : name.index(b"}")]


@pytest.mark.parametrize(
    ("changes", "differ"),
    [
        ({"sealing_key": OTHER}, [True, True, True, True]),
        ({"key": CacheKey(b"p" * 32, KEY.digest)}, [True, True, True, True]),
        ({"key": CacheKey(KEY.owner, b"e" * 32)}, [True, False, False, True]),
        ({"asker": b"b"}, [False, True, False, False]),
    ],
    ids=["another sealing key", "another owner", "another request", "another token"],
)
def test_what_a_name_depends_on(changes, differ):
    """C-02, C-18: an answer is of what was asked for, a refusal of the token that was refused."""
    assert [one != other for one, other in zip(names(), names(**changes), strict=True)] == differ
