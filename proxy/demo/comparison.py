"""Two tokens' claims side by side, as plain text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_ABSENT = "-"


def compare(before: Mapping[str, Any], after: Mapping[str, Any], titles: tuple[str, str]) -> str:
    """One line a claim: its name, ``*`` where it differs, and both values."""
    names = list(dict.fromkeys([*before, *after]))
    rows = [("claim", "", *titles)]
    for name in names:
        mark = "" if before.get(name) == after.get(name) else "*"
        rows.append((name, mark, _show(before, name), _show(after, name)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join([*map(str.ljust, row[:3], widths), row[3]]).rstrip() for row in rows]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:]])


def _show(claims: Mapping[str, Any], name: str) -> str:
    if name not in claims:
        return _ABSENT
    value = claims[name]
    return value if isinstance(value, str) else json.dumps(value)
