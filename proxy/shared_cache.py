"""Access tokens that replicas share in Valkey or Redis.

The store is not trusted with anything: values are sealed, each under its own name, and names are HMACs, so
who reads or changes the store learns no token and can at worst make it forget. It is not relied on either:
what is not answered in time counts as not there (``shared_store``).

All names of one owner carry one hash tag, so that in a cluster they lie together. A purge replaces the
owner's *generation*, a random value that every answer is sealed with: it takes one write however much there
is, and also what is being exchanged just then, begun under the generation before, is never read again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from .background import Background
from .cache_entries import find_bound
from .cache_key import CacheKey
from .clock import Clock
from .config import models
from .config.faults import ConfigurationError, Fault
from .config.secret_file import SecretFile
from .errors import ProxyError
from .refusals import LONGEST
from .sealing import SealingKey, parse_key_file
from .shared_codec import decode_answer, encode_answer
from .shared_store import GuardedStore, StoreAway, StoreRefused
from .shared_tokens import Answer
from .token_exchange import AccessToken

LEASE: Final = 10.0  # s after which an exchange that another replica began no longer counts
LONGEST_WAIT: Final = 3.0  # s to wait for another replica's exchange before making one of our own
POLL: Final = 0.02  # s between two looks at the store
_MARK_SIZE: Final = 16

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
    """Where one key of the key file puts what belongs to a cache key and an asker."""

    sealing_key: SealingKey
    answer: bytes
    refusal: bytes
    generation: bytes
    lease: bytes


class SharedCache:
    """Implements ``SharedTokens`` on ``store``; the first of the keys seals, all open."""

    def __init__(
        self,
        store: GuardedStore,
        keys: Callable[[], Sequence[SealingKey]],
        *,
        max_ttl: float,
        clock: Clock,
        background: Background,
    ) -> None:
        self._store = store
        self._keys = keys
        self._max_ttl = max_ttl
        self._clock = clock
        self._background = background

    @property
    def failures(self) -> int:
        """How often the store was found to be away."""
        return self._store.failures

    async def share(
        self, key: CacheKey, asker: bytes, unwanted: str | None, grant: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Another replica's answer, else our own, which the others then find."""
        names = [_build_names(sealing_key, key, asker) for sealing_key in self._keys()]
        try:
            found = await self._find_or_lease(names, unwanted)
        except (StoreAway, StoreRefused):
            return await grant()
        if isinstance(found, Answer):
            return found
        answer = await grant()
        self._background.spawn(self._write(names, found, answer), name="share")
        return answer

    async def forget(self, key: CacheKey) -> None:
        await self._delete([_build_names(each, key, b"").answer for each in self._keys()])

    async def purge(self, owner: bytes) -> None:
        for each in self._keys():
            name = _build_names(each, CacheKey(owner, b""), b"").generation
            # An answer that is older than max_ttl is not there any more, so neither need this be.
            await self._put(name, os.urandom(_MARK_SIZE), self._max_ttl + LEASE)

    async def aclose(self) -> None:
        await self._store.aclose()

    async def _find_or_lease(self, names: Sequence[Names], unwanted: str | None) -> Answer | bytes:
        """The answer; else, once it is ours to exchange, the mark to write ours under.

        Ours it is with the lease, or when another's exchange takes too long.
        """
        give_up_at = self._clock.monotonic() + LONGEST_WAIT
        while True:
            found = await self._find(names, unwanted)
            if isinstance(found, Answer):
                return found
            if await self._lease(names[0].lease):
                return await self._find_once_leased(names, unwanted)
            if self._clock.monotonic() >= give_up_at:
                return found
            await asyncio.sleep(POLL)

    async def _find_once_leased(self, names: Sequence[Names], unwanted: str | None) -> Answer | bytes:
        """Another's answer may have come, and its lease gone, between our look and our lease."""
        found = await self._find(names, unwanted)
        if isinstance(found, Answer):
            self._background.spawn(self._delete([names[0].lease]), name="share")
        return found

    async def _find(self, names: Sequence[Names], unwanted: str | None) -> Answer | bytes:
        """The answer, else the mark of the owner's generation."""
        asked = [name for each in names for name in (each.answer, each.refusal, each.generation)]
        values = await self._store.get(asked)
        rows = [values[start : start + 3] for start in range(0, len(values), 3)]
        for each, (sealed, sealed_refusal, generation) in zip(names, rows, strict=True):
            # A refusal of this very token counts for more than an answer to another of its session.
            for name, value in ((each.refusal, sealed_refusal), (each.answer, sealed)):
                answer = self._open(each.sealing_key, name, value, _mark(generation))
                if answer is not None and self._serves(answer, unwanted):
                    return answer
        return _mark(rows[0][2])

    def _open(self, sealing_key: SealingKey, name: bytes, value: Any, mark: bytes) -> Answer | None:
        content = sealing_key.open(name, value) if isinstance(value, bytes) else None
        if content is None or not content.startswith(mark):
            return None
        return decode_answer(content.removeprefix(mark))

    def _serves(self, answer: Answer, unwanted: str | None) -> bool:
        """Whether it has not ended and is not the very token that is to be replaced."""
        outcome = answer.outcome
        if isinstance(outcome, ProxyError):
            outcome.remember_for = _remembered(outcome) - (self._clock.time() - answer.obtained_at)
            return outcome.remember_for > 0
        return outcome.value != unwanted and self._bound(outcome, answer) > self._clock.time()

    async def _lease(self, name: bytes) -> bool:
        return await self._store.put_new(name, b"1", _milliseconds(LEASE))

    async def _write(self, names: Sequence[Names], mark: bytes, answer: Answer) -> None:
        """Leave the answer for the others, then let them ask: a failure is no answer."""
        outcome, first = answer.outcome, names[0]
        gone = [first.lease]
        if not isinstance(outcome, ProxyError):
            await self._seal(first.sealing_key, first.answer, mark, answer, self._bound(outcome, answer))
        elif outcome.remember_by is not None:
            gone += [each.answer for each in names]
            if outcome.remember_by == "subject_token":
                ends_at = answer.obtained_at + _remembered(outcome)
                await self._seal(first.sealing_key, first.refusal, mark, answer, ends_at)
        await self._delete(gone)

    async def _seal(
        self, sealing_key: SealingKey, name: bytes, mark: bytes, answer: Answer, ends_at: float
    ) -> None:
        lifetime = ends_at - self._clock.time()
        if lifetime > 0:
            await self._put(name, sealing_key.seal(name, mark + encode_answer(answer)), lifetime)

    def _bound(self, access_token: AccessToken, answer: Answer) -> float:
        return find_bound(access_token, answer.subject_expires_at, answer.obtained_at, self._max_ttl)

    async def _put(self, name: bytes, value: bytes, lifetime: float) -> None:
        with suppress(StoreAway, StoreRefused):
            await self._store.put(name, value, _milliseconds(lifetime))

    async def _delete(self, names: Sequence[bytes]) -> None:
        with suppress(StoreAway, StoreRefused):
            await self._store.delete(names)


def _build_names(sealing_key: SealingKey, key: CacheKey, asker: bytes) -> Names:
    prefix = b"obo-proxy:{%b}:" % sealing_key.name(b"owner", key.owner)
    return Names(
        sealing_key,
        answer=prefix + b"answer:" + sealing_key.name(b"answer", key.digest),
        refusal=prefix + b"refusal:" + sealing_key.name(b"refusal", asker),
        generation=prefix + b"generation",
        lease=prefix + b"lease:" + sealing_key.name(b"lease", key.digest),
    )


def _mark(generation: Any) -> bytes:
    """What an answer of this generation begins with: of one length, whatever is in the store."""
    return sha256(generation or b"").digest()[:_MARK_SIZE]


def _remembered(refusal: ProxyError) -> float:
    return min(refusal.remember_for, LONGEST[refusal.remember_by])


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def build_shared_cache(settings: models.Cache, *, clock: Clock, background: Background) -> SharedCache | None:
    """As configured; None where nothing is shared. Raises ConfigurationError; nothing is sent yet."""
    if settings.shared is None:
        return None
    try:
        from .valkey_store import connect  # noqa: PLC0415 - an extra, needed here alone
    except ImportError as error:
        message = "needs the Valkey client: pip install 'obo-proxy[valkey]'"
        raise ConfigurationError((Fault("cache.shared", message),)) from error
    try:
        store = connect(settings.shared.url.get_secret_value())
    except ValueError as error:
        raise ConfigurationError((Fault("cache.shared.url", "names no store"),)) from error
    try:
        keys = KeyFile(settings.shared.encryption_key_file)
    except (ValueError, OSError) as error:
        raise ConfigurationError((Fault("cache.shared.encryption_key_file", str(error)),)) from error
    return SharedCache(
        GuardedStore(store, clock=clock, background=background),
        keys,
        max_ttl=settings.max_ttl,
        clock=clock,
        background=background,
    )
