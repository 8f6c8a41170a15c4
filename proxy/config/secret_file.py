"""Files that hold a secret, a key or a certificate, read again when they change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from ..errors import AuthorizationServerUnavailable

T = TypeVar("T")
_NOTHING = (0, 0, 0)  # what no file is seen as
_TRIES = 3  # files that change while they are read are read anew; a rotation is over before the third time

log = logging.getLogger(__name__)


class SecretFile:
    """The content of ``path``, kept until the file's inode, size or time of change differs.

    One ``stat`` a use: files on a mounted secret volume are swapped by a link, so the link is followed. ``fault``
    says why the file could not be read the last time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault: str | None = None
        self._seen: tuple[int, int, int] | None = None
        self._content = b""

    def read(self) -> bytes:
        """The content, without surrounding white space. Raises OSError where it was never readable."""
        try:
            stat = self.path.stat()
            seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if seen != self._seen:
                content = self.path.read_bytes().strip()
                self.fault = None if content else "is empty"
                self._content = content or self._content
                self._seen = seen
        except OSError as error:
            if self._seen is None:
                raise
            # Mid-rotation the file may be gone for a moment: what was read last still stands, until it is back.
            self._seen = _NOTHING
            self.fault = f"cannot be read: {error.strerror}"
        return self._content

    def read_token(self, name: str) -> str:
        """The one token that it holds. Raises AuthorizationServerUnavailable; ``name`` is what the file is known as."""
        try:
            return self.read().decode("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise AuthorizationServerUnavailable(
                f"{name} cannot be read: {type(error).__name__}",
                remedy=f"See that {self.path} exists, is readable and holds one token.",
            ) from error

    def __repr__(self) -> str:
        return f"SecretFile({str(self.path)!r})"


class ParsedFiles(Generic[T]):
    """What ``parse`` makes of the contents of files that belong together, made anew when one of them changes.

    Where they are unfit, as files are in the middle of a rotation, what was made last still stands.
    """

    def __init__(self, parse: Callable[..., T], *paths: Path) -> None:
        self._parse = parse
        self._files = tuple(SecretFile(path) for path in paths)
        self._contents: tuple[bytes, ...] | None = None
        self._parsed: T | None = None
        self._fault: str | None = None

    @property
    def name(self) -> str:
        """The first file's path, by which people know all of them."""
        return str(self._files[0].path)

    @property
    def fault(self) -> str | None:
        """Why the files as they are now are not what is used."""
        return next((file.fault for file in self._files if file.fault), self._fault)

    def read(self) -> T:
        """Raises OSError or ValueError where the files were never fit."""
        contents = self._read()
        if contents != self._contents:
            self._renew(contents)
        if self._parsed is None:
            raise ValueError(f"{self.name}: {self._fault}")
        return self._parsed

    def _read(self) -> tuple[bytes, ...]:
        return tuple([file.read() for file in self._files])

    def _renew(self, contents: tuple[bytes, ...]) -> None:
        """Parse; once more where a file was swapped meanwhile, so that no two of different times are put together."""
        for _ in range(_TRIES):
            try:
                parsed, fault = self._parse(*contents), None
            except (OSError, ValueError) as error:
                parsed, fault = None, str(error)
            before, contents = contents, self._read()
            if before == contents:
                break
        self._contents, self._fault = before, fault
        if parsed is not None:
            self._parsed = parsed
        elif self._parsed is not None:
            log.warning("new credentials are not usable", extra={"file": self.name, "error": fault})
