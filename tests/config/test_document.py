"""The YAML of the file: bounded, without a key twice, and never quoted in a fault."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.config.document import parse_document, read_document
from proxy.config.faults import ConfigurationError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 8)
)
MERGE_BOMB = "a0: &a0 {k: v}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 8)
)


def fault_of(content: bytes) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_document(content, "obo.yaml")
    (fault,) = caught.value.faults
    return str(fault)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("a: 1\nb: 2\na: 3\n", "obo.yaml:3: the key 'a' stands here twice"),
        ("x:\n  - a: 1\n    a: 2\n", "obo.yaml:3: the key 'a' stands here twice"),
        ("a: 1\n5: b\n", "obo.yaml:2: a key that is not text: put it in quotes"),
        ("on: b\n", "obo.yaml:1: a key that is not text: put it in quotes"),
        ("[a]: b\n", "obo.yaml:1: a key that is not text: put it in quotes"),
        ("a: &a [*a]\n", "obo.yaml:1: an alias inside what it stands for"),
        ("- a\n", "obo.yaml: not a mapping of keys to values"),
        ("s3cr3t", "obo.yaml: not a mapping of keys to values"),
        ("a: [s3cr3t\n", "obo.yaml:2: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: *s3cr3t\n", "obo.yaml:1: not YAML: found undefined alias"),
        ("a: !s3cr3t b\n", "obo.yaml:1: not YAML: could not determine a constructor for the tag"),
        ("a: !!python/object/apply:os.system [ls]\n", "obo.yaml:1: not YAML: could not determine a constructor for the tag"),
        ("a: 1\n---\nb: 2\n", "obo.yaml:2: not YAML: but found another document"),
        ("a: 2026-99-99\n", "obo.yaml: not YAML in UTF-8"),
        ("\x00", "obo.yaml: not YAML in UTF-8"),
        ("a: " + "[" * 5000, "obo.yaml: nested too deeply"),
    ],
    ids=range(16),
)  # fmt: skip
def test_documents_that_are_refused(content: str, fault: str) -> None:
    """The line is named, what stands there is not: it may be a secret."""
    assert fault_of(content.encode()) == fault


@pytest.mark.parametrize("bomb", [BOMB, MERGE_BOMB], ids=["aliases", "merges"])
def test_aliases_that_multiply_are_refused(bomb: str) -> None:
    """A file of a few lines cannot fill the memory."""
    assert "more than 200000 values once aliases are written out" in fault_of(bomb.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    """The file is UTF-8."""
    assert fault_of(b"a: \xff\xfe") == "obo.yaml: not YAML in UTF-8"


def test_aliases_and_merges_are_taken() -> None:
    """Routes may share what they have in common."""
    content = b"a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n"
    assert parse_document(content, "") == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"x": 1, "y": 2},
    }


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"---\n"])
def test_an_empty_file_is_an_empty_configuration(content: bytes) -> None:
    """What it lacks is for the next step to say."""
    assert parse_document(content, "") == {}


def test_a_file_beyond_all_measure_is_not_read(tmp_path: Path) -> None:
    """Not even looked into."""
    path = tmp_path / "obo.yaml"
    path.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(ConfigurationError, match="larger than 4 MiB"):
        read_document(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With the reason of the system."""
    with pytest.raises(ConfigurationError, match=r"no\.yaml: cannot be read: No such file or directory"):
        read_document(tmp_path / "no.yaml")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text("{}[]:&*!|>-'\"#,? \nab<", max_size=40).map(str.encode))
def test_any_bytes_are_a_mapping_or_a_fault(content: bytes) -> None:
    """No other exception leaves the reader."""
    with contextlib.suppress(ConfigurationError):
        assert isinstance(parse_document(content, "f"), dict)
