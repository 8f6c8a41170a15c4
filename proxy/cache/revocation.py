"""A revocation: what was obtained for somebody before a moment counts no more.

Replicas tell each other of revocations (``shared.telling``, ``shared.hearing``). A kind says what its ``key``
names (32 bytes) and what no longer counts:

- ``owner``: ``key.build_owner`` of an issuer and a subject. Access tokens obtained for that user.
- ``user``: an identifier (``authentication.subject_identifier``), or ``build_owner`` again. The same, and whatever
  goes back to a subject token of that user's that was issued no later: the token itself, and what it has opened.

Replicas may be of different versions: one that meets a kind it does not know has missed something, and acts so.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Final, NamedTuple

from ..runtime import Clock
from .recent import Recent

KINDS: Final = frozenset({"owner", "user"})
MOST: Final = 10_000  # revocations that a table holds, some 300 bytes each
_KEY_SIZE: Final = 32


class Revocation(NamedTuple):
    """``not_before`` is when it happened, in epoch seconds: by the clock of the replica that was told.

    That of a ``user`` is by the issuer's clock, which subject tokens go by as well.
    """

    kind: str
    key: bytes
    not_before: float


class Told(NamedTuple):
    """What one replica told: ``teller`` is which, ``whole`` whether all of it could be read."""

    teller: str
    revocations: tuple[Revocation, ...]
    whole: bool


class Revocations:
    """Those in force: each for ``lasting`` seconds, at most ``MOST``, the oldest leaving first."""

    def __init__(self, lasting: float, clock: Clock) -> None:
        self._times: Recent[float] = Recent(MOST, lasting, clock)

    def add(self, revocation: Revocation) -> None:
        """Those of users have a table of their own (``user_revocations``)."""
        kind, key, not_before = revocation
        if kind == "user":
            return
        self._times.keep(_build_name(kind, key), max(not_before, self.not_before(kind, key)))

    def not_before(self, kind: str, key: bytes) -> float:
        """What is older counts no more (epoch seconds); 0 where nothing was revoked."""
        return self._times.get(_build_name(kind, key)) or 0.0


def _build_name(kind: str, key: bytes) -> bytes:
    """No two are alike: a key has always the same size."""
    return key + kind.encode()


def encode_told(teller: str, revocations: Iterable[Revocation]) -> bytes:
    """JSON."""
    listed = [[kind, b64encode(key).decode(), not_before] for kind, key, not_before in revocations]
    return json.dumps({"teller": teller, "revocations": listed}).encode()


def decode_told(content: bytes) -> Told:
    """What of ``content`` can be read, which is nothing where it has another shape."""
    try:
        members = json.loads(content)
        teller, listed = str(members["teller"]), list(members["revocations"])
    except (ValueError, KeyError, TypeError):
        return Told("", (), whole=False)
    decoded = [_decode(each) for each in listed]
    known = tuple(each for each in decoded if each is not None)
    return Told(teller, known, whole=len(known) == len(decoded))


def _decode(listed: object) -> Revocation | None:
    match listed:
        case [str(kind), str(key), int() | float() as not_before] if kind in KINDS:
            try:
                revocation = Revocation(kind, b64decode(key, validate=True), float(not_before))
            except (ValueError, OverflowError):
                return None
            return revocation if len(revocation.key) == _KEY_SIZE else None
        case _:
            return None
