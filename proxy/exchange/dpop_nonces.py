"""RFC 9449 §8: the nonces that servers ask for in proofs.

Apart from what makes proofs: answers are looked through for nonces whether or not there is a key to prove.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

_NONCE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,1024}")  # §8.1: NQCHAR; no server's is as long


class Nonces:
    """The latest nonce of each origin (§8.2: an answer of any status may bring a new one)."""

    def __init__(self) -> None:
        self._nonces: dict[str, str] = {}

    def find(self, url: str) -> str | None:
        return self._nonces.get(_origin(url))

    def learn(self, url: str, headers: Mapping[str, str]) -> bool:
        """Keep the nonce that an answer from ``url`` brought; True where there was one."""
        nonce = headers.get("dpop-nonce")
        if nonce is None or not _NONCE.fullmatch(nonce):
            return False
        self._nonces[_origin(url)] = nonce
        return True


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
