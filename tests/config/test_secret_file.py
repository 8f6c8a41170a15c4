"""Secret files, and files that belong together, are read again when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy.config.secret_file import ParsedFiles, SecretFile

from ..support.kubelet import Volume


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
    for _ in range(2):
        assert (file.read(), file.fault) == (b"one", "is empty")
    path.write_text("other")
    assert (file.read(), file.fault) == (b"other", None)


def test_its_repr_is_the_path(tmp_path: Path) -> None:
    """Never the content."""
    path = tmp_path / "secret"
    path.write_text("CANARY")
    file = SecretFile(path)
    file.read()
    assert repr(file) == f"SecretFile({str(path)!r})"


def test_why_a_file_is_not_read(tmp_path: Path) -> None:
    """What stands in for a file that is gone does not hide that it is gone."""
    path = tmp_path / "secret"
    path.write_text("one")
    file = SecretFile(path)
    file.read()
    assert file.fault is None
    path.unlink()
    file.read()
    assert file.fault == "cannot be read: No such file or directory"
    path.write_text("two")
    assert (file.read(), file.fault) == (b"two", None)
    path.rename(tmp_path / "aside")
    assert (file.read(), bool(file.fault)) == (b"two", True)
    (tmp_path / "aside").rename(path)
    assert (file.read(), file.fault) == (b"two", None)


def join(*contents: bytes) -> str:
    """Files that belong together begin alike."""
    if len({content[:1] for content in contents}) > 1:
        raise ValueError("do not belong together")
    return b"".join(contents).decode()


def test_files_are_parsed_when_one_changes(tmp_path: Path) -> None:
    """X-11: and not at each use."""
    made = []
    volume = Volume(tmp_path / "volume", {"a": "1a", "b": "1b"})
    files = ParsedFiles(
        lambda *contents: made.append(contents) or join(*contents), volume / "a", volume / "b"
    )
    assert [files.read(), files.read(), files.name] == ["1a1b", "1a1b", str(volume / "a")]
    volume.update({"a": "2a", "b": "2b"})
    assert [files.read(), files.read()] == ["2a2b", "2a2b"]
    assert len(made) == 2


def test_what_was_fit_last_still_stands(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """X-11: half of a rotation changes nothing, and is told once; the other half ends it."""
    volume = Volume(tmp_path / "volume", {"a": "1a", "b": "1b"})
    files = ParsedFiles(join, volume / "a", volume / "b")
    assert (files.read(), files.fault) == ("1a1b", None)
    volume.update({"a": "2a", "b": "1b"})
    assert [files.read(), files.read()] == ["1a1b", "1a1b"]
    assert files.fault == "do not belong together"
    [line] = caplog.records
    assert (line.msg, line.file) == ("new credentials are not usable", str(volume / "a"))
    volume.update({"a": "2a", "b": "2b"})
    assert (files.read(), files.fault) == ("2a2b", None)


def test_files_that_were_never_fit(tmp_path: Path) -> None:
    """Then there is nothing to stand in for them; once they are, all is well."""
    volume = Volume(tmp_path / "volume", {"a": "1a", "b": "2b"})
    files = ParsedFiles(join, volume / "a", volume / "b")
    for _ in range(2):
        with pytest.raises(ValueError, match="do not belong together"):
            files.read()
    volume.update({"a": "2a", "b": "2b"})
    assert files.read() == "2a2b"


@pytest.mark.parametrize("swaps", [1, 2, 5])
def test_files_that_are_swapped_while_they_are_read(tmp_path: Path, swaps: int) -> None:
    """X-11: what was read of two rotations is never put together, and the last one counts."""
    volume = Volume(tmp_path / "volume", {"a": "0a", "b": "0b"})
    left = list(range(swaps, 0, -1))

    def parse(*contents: bytes) -> str:
        if left:
            number = left.pop()
            volume.update({"a": f"{number}a", "b": f"{number}b"})
        return join(*contents)

    files = ParsedFiles(parse, volume / "a", volume / "b")
    for _ in range(swaps):
        found = files.read()
        assert found[0] == found[2]
    assert found == f"{swaps}a{swaps}b"
