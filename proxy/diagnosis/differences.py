"""Two tokens' claims side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# What may be a token or a part of one that opens something: a JWS with its signature.
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*")
# Who and what for first, then when, then the rest by name.
_ORDER = ("iss", "sub", "aud", "scp", "scope", "cid", "azp", "client_id", "act", "iat", "nbf", "exp")
HIDDEN = "(a token, not shown)"


@dataclass(frozen=True, slots=True)
class Difference:
    """One claim of either token; a side that lacks it is None."""

    name: str
    before: Any
    after: Any
    change: Literal["same", "changed", "added", "removed"]


def compare_claims(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Each claim of either, those that say most first."""
    names = [name for name in _ORDER if name in before or name in after]
    names += sorted((before.keys() | after.keys()) - set(names))
    return [_compare(name, before, after) for name in names]


def hide_tokens(value: Any) -> Any:
    """``value`` with whatever looks like a token in it left out: claims may hold some."""
    if isinstance(value, str):
        return _TOKEN.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {hide_tokens(name): hide_tokens(member) for name, member in value.items()}
    return [hide_tokens(item) for item in value] if isinstance(value, list) else value


def _compare(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    if name not in before:
        return Difference(name, None, after[name], "added")
    if name not in after:
        return Difference(name, before[name], None, "removed")
    same = before[name] == after[name]
    return Difference(name, before[name], after[name], "same" if same else "changed")
