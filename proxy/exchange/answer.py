"""An answer of the authorization server as received, and as safely shown in a log."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from ..jose.encoding import parse_json_object

_SHOWN = 300  # characters of foreign text that a log line may hold
_SHORTEST_SECRET = 6  # characters; replacing less would make a text unreadable and hide nothing
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_TOKEN_LIKE = re.compile(r"eyJ[\w.\-]+|[\w\-]{40,}")


@dataclass(slots=True)
class Answer:
    """``headers`` has lower-case names; ``document`` is the body where it is a JSON object."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def document(self) -> Mapping[str, Any] | None:
        try:
            return parse_json_object(self.body)
        except ValueError:
            return None

    @property
    def date(self) -> float | None:
        """The server's own time (epoch s, RFC 9110 §6.6.1), where it tells."""
        return parse_date(self.headers.get("date", ""))


def parse_date(text: str) -> float | None:
    """An HTTP-date in epoch seconds; None for anything else."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def show(text: Any, hide: Collection[str] = ()) -> str:
    """Foreign text for a log line: short, printable, without ``hide`` and what else may be a token."""
    if not isinstance(text, str):
        return ""
    for secret in hide:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[hidden]")
    return _UNPRINTABLE.sub(" ", _TOKEN_LIKE.sub("[hidden]", text))[:_SHOWN].strip()
