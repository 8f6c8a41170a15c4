"""Secret files are read again when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy.config.secret_file import SecretFile


def test_the_content_without_white_space(tmp_path: Path) -> None:
    """Editors and ``echo`` add a line end that is no part of the secret."""
    path = tmp_path / "secret"
    path.write_bytes(b"\n s3cr3t \r\n")
    assert SecretFile(path).read() == b"s3cr3t"


def test_a_change_counts_at_the_next_use(tmp_path: Path) -> None:
    """X-11: rewritten in place or replaced whole."""
    path, new = tmp_path / "secret", tmp_path / "new"
    path.write_text("one")
    file = SecretFile(path)
    assert file.read() == b"one"
    path.write_text("other")
    assert file.read() == b"other"
    new.write_text("third")
    new.replace(path)
    assert file.read() == b"third"


def test_a_swapped_link_counts(tmp_path: Path) -> None:
    """X-11: Kubernetes swaps a link to a whole folder."""
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    link, spare = tmp_path / "secret", tmp_path / "spare"
    link.symlink_to("one")
    file = SecretFile(link)
    assert file.read() == b"one"
    spare.symlink_to("two")
    spare.replace(link)
    assert file.read() == b"two"


def test_what_has_not_changed_is_not_read(tmp_path: Path) -> None:
    """One stat a use: same inode, size and time, same content."""
    path = tmp_path / "secret"
    path.write_text("one")
    file = SecretFile(path)
    file.read()
    times = path.stat()
    path.write_text("two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert file.read() == b"one"


def test_a_file_that_is_gone_for_a_moment(tmp_path: Path) -> None:
    """In the middle of a rotation the last content stands; without one there is none to stand."""
    path = tmp_path / "secret"
    file = SecretFile(path)
    with pytest.raises(FileNotFoundError):
        file.read()
    path.write_text("one")
    assert file.read() == b"one"
    path.unlink()
    assert file.read() == b"one"


def test_a_file_that_is_empty_for_a_moment(tmp_path: Path) -> None:
    """It is truncated before it is written; one that never held anything has nothing to stand."""
    path = tmp_path / "secret"
    path.write_text("")
    file = SecretFile(path)
    assert file.read() == b""
    path.write_text("one")
    assert file.read() == b"one"
    path.write_text("\n")
    assert file.read() == b"one"
    path.write_text("other")
    assert file.read() == b"other"


def test_its_repr_is_the_path(tmp_path: Path) -> None:
    """Never the content."""
    path = tmp_path / "secret"
    path.write_text("CANARY")
    file = SecretFile(path)
    file.read()
    assert repr(file) == f"SecretFile({str(path)!r})"
