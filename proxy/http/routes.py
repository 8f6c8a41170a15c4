"""The route table, matched on the raw path as received.

A route's path is a prefix on segment boundaries; the longest wins, then the one that names the host, then
the one that names the method. Nothing is decoded to decide: a path that another reader could take for a
different route, or for a different place under the same one, is refused instead (RFC 3986 §6, RFC 9110 §17.11).
Such a reader may decode any number of times, before or after it cuts parameters and merges slashes.

Not considered: case (``/Orders`` is not ``/orders``) and Unicode normalisation (full-width dots are letters).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, Generic, TypeVar

from ..errors import NoRoute, PathRefused
from .percent_encoding import decode_repeatedly

T = TypeVar("T")

# Segments of unreserved and sub-delim characters, none that ends with a dot, no empty one but the last: read alike
# by all, as they come.
_PLAIN: Final = re.compile(rb"(?=/)(?:/[A-Za-z0-9\-._~!$&'()*+,=:@]+(?<!\.))*/?")
# The same for what has been decoded, where more may stand but for what is refused or folded below.
_DECODED: Final = re.compile(rb"(?=/)(?:/(?! )[^\x00-\x1f\x7f/\\;?#\xc0\xc1\xe0\xf0\xf8\xfc]+(?<![. ]))*/?")
# What no request line should hold, though some readers take it.
_UNENCODED: Final = re.compile(rb"[\x00-\x20#?\x7f-\xff]")
# An encoded slash, and the %u of IIS: gone once they are decoded.
_ESCAPE: Final = re.compile(rb"%(?:2[fF]|[uU][0-9A-Fa-f]{4})")
# What some reader folds or cuts: controls, backslash, and longer UTF-8 than a character needs.
_REFUSED: Final = re.compile(rb"[\x00-\x1f\\\x7f\xc0\xc1]")
_OVERLONG: Final = re.compile(rb"[\xe0\xf0\xf8\xfc](?:(?<=\xe0)[\x80-\x9f]|(?<!\xe0)[\x80-\x8f])")
# One dot or two, also with parameters, with a decoded '?' or '#', or between spaces, which some trim.
_DOT_SEGMENT: Final = re.compile(rb"/ *\.{1,2} *(?:[;?#][^/]*)?(?:/|\Z)")
_PARAMETERS: Final = re.compile(rb"[;?#][^/]*")
_SLASH: Final = 0x2F


class Pattern(Generic[T]):
    """What a request must look like to be ``value``'s: raw path prefix, lower-case host, methods (empty: all)."""

    def __init__(self, path: bytes, host: bytes | None, methods: frozenset[str], value: T) -> None:
        self.path = path
        self.host = host
        self.methods = methods
        self.value = value


class RouteTable(Generic[T]):
    """Looks up prefixes from the longest down: the cost grows with how many lengths there are.

    ``by_host`` is whether any pattern names a host.
    """

    def __init__(self, patterns: Iterable[Pattern[T]]) -> None:
        found: dict[bytes, list[Pattern[T]]] = defaultdict(list)
        for pattern in patterns:
            found[pattern.path.rstrip(b"/")].append(pattern)
        for candidates in found.values():
            candidates.sort(key=lambda one: (one.host is None, not one.methods))
        self.by_host = any(one.host is not None for candidates in found.values() for one in candidates)
        self._by_prefix = dict(found)
        self._lengths = sorted(set(map(len, self._by_prefix)), reverse=True)

    def __iter__(self) -> Iterator[T]:
        """The values of all patterns."""
        return (pattern.value for candidates in self._by_prefix.values() for pattern in candidates)

    def match(self, raw_path: bytes, host: bytes, method: str) -> tuple[T, bytes]:
        """The matching route's value, and what of the path follows its prefix. Raises NoRoute, PathRefused."""
        pattern, length = self._find(raw_path, host, method)
        if not _PLAIN.fullmatch(raw_path):
            self._refuse_ambiguity(raw_path, host, method, pattern)
        if pattern is None:
            raise NoRoute(f"no route for {method} on this path")
        return pattern.value, raw_path[length:]

    def _find(self, path: bytes, host: bytes, method: str) -> tuple[Pattern[T] | None, int]:
        """The pattern, and how much of the path is its prefix."""
        size = len(path)
        for end in self._lengths:
            if end > size or (end < size and path[end] != _SLASH):
                continue
            for pattern in self._by_prefix.get(path[:end], ()):
                if (pattern.host is None or pattern.host == host) and (
                    not pattern.methods or method in pattern.methods
                ):
                    return pattern, end
        return None, 0

    def _refuse_ambiguity(self, path: bytes, host: bytes, method: str, pattern: Pattern[T] | None) -> None:
        """A path is refused when another way to read it leads elsewhere."""
        if not path.startswith(b"/") or _UNENCODED.search(path):
            raise PathRefused("the path holds what belongs encoded")
        readings = _decode(path)
        if any(map(_ESCAPE.search, readings)):
            raise PathRefused("the path holds an encoded slash")
        # Whatever else is no escape stays through every decoding, so that all of it shows in the last.
        folded = _fold(readings[-1])
        if self._find(folded, host, method)[0] is not pattern:
            raise PathRefused(
                "decoded, without parameters or with single slashes the path is another route's"
            )


def _decode(path: bytes) -> list[bytes]:
    try:
        return decode_repeatedly(path)
    except ValueError as error:
        raise PathRefused(f"the path is {error}") from None


def _fold(path: bytes) -> bytes:
    """A decoded path without parameters and empty segments, nor the spaces and dots that Windows drops.

    Raises PathRefused for what means another place to some reader.
    """
    if _DECODED.fullmatch(path):
        return path
    if _REFUSED.search(path) or _OVERLONG.search(path) or _DOT_SEGMENT.search(path):
        raise PathRefused("the path holds what readers decode or fold differently")
    segments = [one.lstrip(b" ").rstrip(b". ") for one in _PARAMETERS.sub(b"", path).split(b"/")]
    return b"/" + b"/".join(filter(None, segments))
