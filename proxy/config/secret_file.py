"""A file that holds a secret or a key, read again when it changes."""

from __future__ import annotations

from pathlib import Path


class SecretFile:
    """The content of ``path``, kept until the file's inode, size or time of change differs.

    One ``stat`` a use: files on a mounted secret volume are swapped by a link, so the link is followed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._content = b""

    def read(self) -> bytes:
        """The content, without surrounding white space. Raises OSError where it was never readable."""
        try:
            stat = self.path.stat()
            seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if seen != self._seen:
                # Mid-rotation the file may be empty or gone for a moment: what was read last still stands.
                self._content = self.path.read_bytes().strip() or self._content
                self._seen = seen
        except OSError:
            if self._seen is None:
                raise
        return self._content

    def __repr__(self) -> str:
        return f"SecretFile({str(self.path)!r})"
