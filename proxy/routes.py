"""The route table, matched on the raw path as received.

A route's path is a prefix on segment boundaries; the longest wins, then the one that names the host, then
the one that names the method. Nothing is decoded to decide: a path that another reader could take for a
different route, or for a different place under the same one, is refused instead (RFC 3986 §6, RFC 9110 §17.11).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from .errors import NoRoute, PathRefused

T = TypeVar("T")

# Segments of unreserved and sub-delim characters, no dot segment, no empty one but the last: read alike by all.
_PLAIN = re.compile(rb"(?=/)(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9\-._~!$&'()*+,=:@]+)*/?")
# What some reader decodes, folds or cuts: controls, space, '#', '?', backslash, anything not ASCII; in
# percent-encoding controls, slash and backslash, once or twice encoded; overlong UTF-8 (lead bytes C0, C1,
# E0 80-9F, F0 80-8F) and the %u of IIS.
_REFUSED = re.compile(
    rb"[\x00-\x20#?\\\x7f-\xff]|%(?:25)*(?:[01][0-9a-f]|2f|5c|7f|c[01]|e0%[89][0-9a-f]|f0%8[0-9a-f]|u)"
    rb"|%25(?:25)*2e",
    re.IGNORECASE,
)
_DOT_SEGMENT = re.compile(rb"/(?:\.|%2e){1,2}(?:;[^/]*)?(?:/|\Z)", re.IGNORECASE)
_PARAMETERS = re.compile(rb";[^/]*")
_SLASHES = re.compile(rb"//+")


@dataclass(frozen=True, slots=True)
class Pattern(Generic[T]):
    """What a request must look like to be ``value``'s: raw path prefix, lower-case host, methods (empty: all)."""

    path: bytes
    host: bytes | None
    methods: frozenset[str]
    value: T


class RouteTable(Generic[T]):
    """Looks up prefixes from the longest down: the cost grows with a path's depth, not with the routes.

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
        self._longest = max(map(len, self._by_prefix), default=0)

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
        end = len(path)
        if end > self._longest:
            # No prefix is longer: start at the last boundary that one could end on.
            end = path.rfind(b"/", 0, self._longest + 1)
        while end >= 0:
            for pattern in self._by_prefix.get(path[:end], ()):
                if (pattern.host is None or pattern.host == host) and (
                    not pattern.methods or method in pattern.methods
                ):
                    return pattern, end
            end = path.rfind(b"/", 0, end)
        return None, 0

    def _refuse_ambiguity(self, path: bytes, host: bytes, method: str, pattern: Pattern[T] | None) -> None:
        """A path is refused when another way to read it leads elsewhere."""
        if not path.startswith(b"/") or _REFUSED.search(path) or _DOT_SEGMENT.search(path):
            raise PathRefused("the path holds what readers decode or fold differently")
        folded = _SLASHES.sub(b"/", _PARAMETERS.sub(b"", unquote_to_bytes(path)))
        if self._find(folded, host, method)[0] is not pattern:
            raise PathRefused(
                "decoded, without parameters or with single slashes the path is another route's"
            )
