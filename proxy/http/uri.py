"""RFC 3986 §6.2: whether two http URIs are one resource's, as far as their text tells."""

from __future__ import annotations

import re
import string

UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")  # §2.3

_URI = re.compile(r"(https?)://([^/?#@]+)(|/[^?#]*)(?:[?#].*)?", re.IGNORECASE)
_PLAIN = re.compile(r"[\x21-\x7e]*")
_OCTET = re.compile(r"%([0-9A-Fa-f]{2})")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def normalise_uri(text: str) -> str:
    """``text`` without query and fragment, in the one spelling of §6.2.2 and §6.2.3. Raises ValueError for no http URI.

    Dot segments stay as they are: no route takes a path that has any.
    """
    match = _URI.fullmatch(text) if _PLAIN.fullmatch(text) else None
    if match is None:
        raise ValueError("not an absolute http URI")
    scheme, authority, path = match[1].lower(), match[2].lower(), match[3]
    authority = authority.removesuffix(DEFAULT_PORTS[scheme]).removesuffix(":")
    return f"{scheme}://{authority}{_OCTET.sub(_normalise_octet, path) or '/'}"


def _normalise_octet(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in UNRESERVED else match[0].upper()
