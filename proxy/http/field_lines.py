"""RFC 9112 §5: the field lines of a head, strictly: nothing folded, no control character, no space before the colon.

The same lines come again and again. What they say is remembered where it can be no secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar

from .headers import Field

T = TypeVar("T")

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What no value may hold (RFC 9110 §5.5) becomes a space.
_SOUND = bytes(byte if byte == ord("\t") or 0x20 <= byte != 0x7F else 0x20 for byte in range(256))

_MEMO_LINES = 1024
_MEMO_LINE = 128  # bytes of a line worth remembering
_PUBLIC = frozenset(
    {
        b"accept-ranges",
        b"access-control-allow-credentials",
        b"access-control-allow-origin",
        b"cache-control",
        b"connection",
        b"content-encoding",
        b"content-language",
        b"content-length",
        b"content-type",
        b"date",
        b"expires",
        b"keep-alive",
        b"pragma",
        b"referrer-policy",
        b"server",
        b"strict-transport-security",
        b"transfer-encoding",
        b"vary",
        b"x-content-type-options",
        b"x-frame-options",
        b"x-powered-by",
        b"x-xss-protection",
    }
)


def read_field_line(line: bytes) -> Field:
    """The name in lower case, and the value, of a line without its end. Raises ValueError."""
    name, colon, value = line.partition(b":")
    if not colon or not _TOKEN.fullmatch(name):
        raise ValueError("a field line does not begin with a name")
    if value.translate(_SOUND) != value:
        raise ValueError("a control character in a field line")
    return name.lower(), value.strip(b" \t")


class FieldLines(Generic[T]):
    """What ``build`` makes of lines: to be looked up among the ``known``, else to be ``read``.

    However many lines there are, few of them are known.
    """

    def __init__(self, build: Callable[[Field], T]) -> None:
        self.known: dict[bytes, T] = {}
        self._build = build

    def read(self, line: bytes) -> T:
        """Raises ValueError, as ``build`` may."""
        field = read_field_line(line)
        built = self._build(field)
        if field[0] in _PUBLIC and len(line) <= _MEMO_LINE:
            if len(self.known) >= _MEMO_LINES:
                self.known.clear()
            self.known[line] = built
        return built
