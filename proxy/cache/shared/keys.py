"""The keys that replicas share, and the names under which each of them puts things into the store.

All names of one owner carry one hash tag, so that in a cluster they lie together. Whoever acts for an owner has a
generation as well, which lies elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...config.secret_file import SecretFile
from ..key import CacheKey
from .sealing import SealingKey, parse_key_file

Keys = Callable[[], Sequence[SealingKey]]  # those in force now: the first seals, all open

log = logging.getLogger(__name__)


class KeyFile:
    """The keys of the key file, read again when it changes."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError for a file that holds no keys, OSError for one that cannot be read."""
        self._file = SecretFile(path)
        self._content = self._file.read()
        self._keys = parse_key_file(self._content)

    def __call__(self) -> Sequence[SealingKey]:
        content = self._file.read()
        if content != self._content:
            self._content = content
            try:
                self._keys = parse_key_file(content)
            except ValueError as error:  # half-written perhaps: the keys read last still stand
                log.warning("the shared cache's key file is unsound", extra={"error": str(error)})
        return self._keys


@dataclass(frozen=True, slots=True)
class Names:
    """Where one key of the key file puts what belongs to a cache key and an asker.

    ``generations`` are the owner's, and that of whoever acts.
    """

    sealing_key: SealingKey
    answer: bytes
    refusal: bytes
    generations: tuple[bytes, ...]
    lease: bytes


def build_names(sealing_key: SealingKey, key: CacheKey, asker: bytes = b"") -> Names:
    prefix = _build_prefix(sealing_key, key.owner)
    owners = (key.owner, key.actor) if key.actor else (key.owner,)
    return Names(
        sealing_key,
        answer=prefix + b"answer:" + sealing_key.name(b"answer", key.digest),
        refusal=prefix + b"refusal:" + sealing_key.name(b"refusal", asker),
        generations=tuple([build_generation_name(sealing_key, each) for each in owners]),
        lease=prefix + b"lease:" + sealing_key.name(b"lease", key.digest),
    )


def build_generation_name(sealing_key: SealingKey, owner: bytes) -> bytes:
    return _build_prefix(sealing_key, owner) + b"generation"


def build_stream_name(sealing_key: SealingKey) -> bytes:
    """Of the stream of revocations, which is everybody's."""
    return b"obo-proxy:{%b}:revocations" % sealing_key.name(b"revocations", b"")


def build_user_name(sealing_key: SealingKey, identifier: bytes) -> bytes:
    """Of a user's revocation, for those who have not heard of it."""
    return b"obo-proxy:{%b}:user" % sealing_key.name(b"user", identifier)


def build_claim_name(sealing_key: SealingKey, name: bytes) -> bytes:
    """Of what may happen once."""
    return b"obo-proxy:{%b}:claim" % sealing_key.name(b"claim", name)


def build_proof_name(sealing_key: SealingKey, digest: bytes) -> bytes:
    """Of the mark that a proof was used; it is no owner's, so that marks spread over a cluster."""
    return b"obo-proxy:proof:" + sealing_key.name(b"proof", digest)


def _build_prefix(sealing_key: SealingKey, owner: bytes) -> bytes:
    return b"obo-proxy:{%b}:" % sealing_key.name(b"owner", owner)
