"""What is wrong with a configuration, each fault with its place; no secret is ever part of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "***"
_LONGEST_SHOWN = 200  # characters: the paths of mounted secrets are long
_SECRET_NAME = re.compile(r"secret|passw|token|key|assertion|credential", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """``place`` is a path such as ``routes[0].upstream``, a variable, or a file and its line."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class ConfigurationError(Exception):
    """Everything that is wrong with the configuration, at once; ``str`` gives one fault a line."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def build_place(parts: tuple[str | int, ...]) -> str:
    """``("routes", 0, "upstream")`` → ``routes[0].upstream``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return "".join(one if one.isprintable() else "�" for one in text).removeprefix(".")


def got(value: Any) -> str:
    """The offending value in brackets, without the credentials of a URL; nothing for what is no scalar."""
    if not isinstance(value, str | int | float | bool):
        return ""
    text = hide_credentials(value) if isinstance(value, str) else value
    shown = repr(text)
    return f" (got {shown})" if len(shown) <= _LONGEST_SHOWN else f" (got {shown[:_LONGEST_SHOWN]}…)"


def hide_credentials(text: str) -> str:
    """``text`` with user, password and query values of a URL replaced by ``***``."""
    try:
        url = urlsplit(text)
    except ValueError:
        return HIDDEN
    netloc = f"{HIDDEN}@{url.netloc.rpartition('@')[2]}" if "@" in url.netloc else url.netloc
    query = re.sub(r"=[^&]*", f"={HIDDEN}", url.query)
    if (netloc, query) == (url.netloc, url.query):
        return HIDDEN if "@" in text and ":" in text.partition("@")[0] else text
    return urlunsplit(url._replace(netloc=netloc, query=query))


def is_secret_name(name: str) -> bool:
    """Whether a parameter of this name may well hold a secret."""
    return _SECRET_NAME.search(name) is not None
