"""Access tokens that replicas share in Valkey or Redis.

The store is not trusted with anything: values are sealed, each under its own name, and names are HMACs, so
who reads or changes the store learns no token and can at worst make it forget. It is not relied on either:
what is not answered in time counts as not there (``store``).

Every answer is sealed with its owner's *generation*, a random value that is there before the exchange begins:
no answer is older than its generation, and without one none is valid. With whoever acts for the owner it is the same:
both generations must be there, and be those of before. To revoke the tokens of either is to delete the generation. That
is one command however much there is, nothing that is lost afterwards brings an answer back, and what is being exchanged
just then, begun under the generation before, is never read again. Should the store restore an older state of itself,
each answer's age is compared with the revocations in force.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final

from ...config import models
from ...config.faults import ConfigurationError, Fault
from ...errors import ProxyError
from ...exchange.token_exchange import AccessToken
from ...runtime import Background, Clock
from ..entries import find_bound
from ..key import CacheKey
from ..negative_cache import LONGEST
from ..replicas import Answer
from ..revocation import Revocation, Revocations, decode_told
from ..single_flight import Outcome
from ..user_revocations import UserRevocations
from .codec import decode_answer, encode_answer
from .keys import KeyFile, Keys, Names, build_claim_name, build_names, build_user_name
from .revocations import SharedRevocations
from .sealing import SealingKey
from .store import BUDGET, GuardedStore, Store, StoreAway, StoreRefused, to_milliseconds
from .used_proofs import SharedProofs

LEASE: Final = 10.0  # s after which an exchange that another replica began no longer counts
LONGEST_WAIT: Final = 3.0  # s to wait for another replica's exchange before making one of our own
POLL: Final = 0.02  # s between two looks at the store
_MARK_SIZE: Final = 16


class SharedCache:
    """Implements ``SharedTokens`` on ``store``; a request waits for one command ``budget`` seconds at most."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        *,
        users: UserRevocations,
        max_ttl: float,
        clock: Clock,
        background: Background,
        budget: float = BUDGET,
    ) -> None:
        self._store = GuardedStore(store, clock=clock, background=background, budget=budget)
        self._keys = keys
        self._max_ttl = max_ttl
        self._lasting = max_ttl + LEASE  # nothing that has been shared is left by then
        self._clock = clock
        self._background = background
        self._forgotten = Revocations(self._lasting, clock)  # by cache key, of no interest to other replicas
        self.revocations = SharedRevocations(
            store, keys, users=users, lasting=self._lasting, clock=clock, background=background
        )
        self.proofs = SharedProofs(store, keys, clock=clock, background=background)

    @property
    def failures(self) -> int:
        """How often the store was found to be away."""
        return self._store.failures + self.proofs.failures

    async def share(
        self, key: CacheKey, asker: bytes, unwanted: str | None, grant: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Another replica's answer, else our own, which the others then find."""
        if self.revocations.bars(key):
            return await self._grant(key, grant)
        names = [build_names(sealing_key, key, asker) for sealing_key in self._keys()]
        try:
            found = await self._find_or_lease(names, unwanted, self._not_before(key))
        except (StoreAway, StoreRefused):
            return await self._grant(key, grant)
        if isinstance(found, Answer):
            revoked = self.revocations.bars(key) or found.obtained_at < self._not_before(key)
            return await self._grant(key, grant) if revoked else found
        answer = await self._grant(key, grant)
        self._background.spawn(self._write(names, found, answer), name="share")
        return answer

    async def forget(self, key: CacheKey) -> None:
        self._forget_here(key, self._clock.time())
        await self._delete([build_names(each, key).answer for each in self._keys()])

    async def revoke(self, *revocations: Revocation) -> None:
        await self.revocations.revoke(*revocations)

    async def recall(self, identifiers: Sequence[bytes]) -> list[Revocation]:
        names = [(each, build_user_name(each, one)) for each in self._keys() for one in identifiers]
        try:
            values = await self._store.get([name for _, name in names])
        except (StoreAway, StoreRefused):
            return []
        opened = [key.open(name, value) for (key, name), value in zip(names, values, strict=True) if value]
        told = [decode_told(content) for content in opened if content is not None]
        return [revocation for each in told for revocation in each.revocations if revocation.kind == "user"]

    async def claim(self, name: bytes, seconds: float) -> bool:
        sealing_key = self._keys()[0]
        # Without the store each replica goes by its own memory: an event heard twice ends access once more, one that is
        # not heard ends it never. The store's failures are counted, and told of in the log.
        with suppress(StoreAway, StoreRefused):
            return await self._store.put_new(
                build_claim_name(sealing_key, name), b"1", to_milliseconds(seconds)
            )
        return True

    async def is_claimed(self, name: bytes) -> bool:
        with suppress(StoreAway, StoreRefused):  # as for ``claim``
            return any(await self._store.get([build_claim_name(each, name) for each in self._keys()]))
        return False

    async def aclose(self) -> None:
        self.revocations.close()
        await self._store.aclose()

    async def _find_or_lease(
        self, names: Sequence[Names], unwanted: str | None, not_before: float
    ) -> Answer | bytes | None:
        """The answer; else, once it is ours to exchange, the mark to write ours under, None for not to write.

        Ours it is with the lease, or when another's exchange takes too long.
        """
        give_up_at = self._clock.monotonic() + LONGEST_WAIT
        while True:
            found = await self._find(names, unwanted, not_before)
            if isinstance(found, Answer):
                return found
            if found is None:
                await self._begin(names[0].generations)
            if await self._lease(names[0].lease):
                return await self._find_once_leased(names, unwanted, not_before)
            if self._clock.monotonic() >= give_up_at:
                return found
            await asyncio.sleep(POLL)

    async def _find_once_leased(
        self, names: Sequence[Names], unwanted: str | None, not_before: float
    ) -> Answer | bytes | None:
        """Another's answer may have come, and its lease gone, between our look and our lease."""
        found = await self._find(names, unwanted, not_before)
        if isinstance(found, Answer):
            self._background.spawn(self._delete([names[0].lease]), name="share")
        return found

    async def _find(
        self, names: Sequence[Names], unwanted: str | None, not_before: float
    ) -> Answer | bytes | None:
        """The answer, else the mark of the generations, None where one is missing."""
        asked = [name for each in names for name in (each.answer, each.refusal, *each.generations)]
        values = await self._store.get(asked)
        width = len(values) // len(names)
        rows = [values[start : start + width] for start in range(0, len(values), width)]
        for each, (sealed, sealed_refusal, *generations) in zip(names, rows, strict=True):
            mark = _mark(generations)
            # A refusal of this very token counts for more than an answer to another of its session.
            for name, value in ((each.refusal, sealed_refusal), (each.answer, sealed)):
                answer = _open(each.sealing_key, name, value, mark)
                if answer is not None and self._serves(answer, unwanted, not_before):
                    return answer
        return _mark(rows[0][2:])

    def _serves(self, answer: Answer, unwanted: str | None, not_before: float) -> bool:
        """Whether it has neither ended nor been revoked, and is not the very token that is to be replaced."""
        outcome = answer.outcome
        if answer.obtained_at < not_before:
            return False
        if isinstance(outcome, ProxyError):
            outcome.remember_for = _remembered(outcome) - (self._clock.time() - answer.obtained_at)
            return outcome.remember_for > 0
        return outcome.value != unwanted and self._bound(outcome, answer) > self._clock.time()

    def _not_before(self, key: CacheKey) -> float:
        """What is older is not taken, should the store still have it."""
        forgotten = self._forgotten.not_before("answer", key.digest)
        return max(self.revocations.not_before(key), forgotten)

    async def _grant(self, key: CacheKey, grant: Callable[[], Awaitable[Answer]]) -> Answer:
        answer = await grant()
        if _is_final_refusal(answer.outcome):
            self._forget_here(key, answer.obtained_at)
        return answer

    def _forget_here(self, key: CacheKey, not_before: float) -> None:
        """Should the store not do so."""
        self._forgotten.add(Revocation("answer", key.digest, not_before))

    async def _begin(self, generations: Sequence[bytes]) -> None:
        for name in generations:
            await self._store.put_new(name, os.urandom(_MARK_SIZE), to_milliseconds(self._lasting))

    async def _lease(self, name: bytes) -> bool:
        return await self._store.put_new(name, b"1", to_milliseconds(LEASE))

    async def _write(self, names: Sequence[Names], mark: bytes | None, answer: Answer) -> None:
        """Leave the answer for the others, then let them ask: a failure is no answer."""
        outcome, first = answer.outcome, names[0]
        gone = [first.lease]
        if not isinstance(outcome, ProxyError):
            if outcome.certificate is None:  # another replica may well have another certificate
                await self._seal(first, first.answer, mark, answer, self._bound(outcome, answer))
        elif _is_final_refusal(outcome):
            gone += [each.answer for each in names]
            if outcome.remember_by == "subject_token":
                ends_at = answer.obtained_at + _remembered(outcome)
                await self._seal(first, first.refusal, mark, answer, ends_at)
        await self._delete(gone)

    async def _seal(
        self, names: Names, name: bytes, mark: bytes | None, answer: Answer, ends_at: float
    ) -> None:
        lifetime = ends_at - self._clock.time()
        if mark is None or not lifetime > 0:
            return
        sealed = names.sealing_key.seal(name, mark + encode_answer(answer))
        with suppress(StoreAway, StoreRefused):  # it is not shared then
            for each in names.generations:
                if not await self._store.prolong(each, to_milliseconds(self._lasting)):
                    return
            await self._store.put(name, sealed, to_milliseconds(lifetime))

    def _bound(self, access_token: AccessToken, answer: Answer) -> float:
        return find_bound(access_token, answer.subject_expires_at, answer.obtained_at, self._max_ttl)

    async def _delete(self, names: Sequence[bytes]) -> None:
        with suppress(StoreAway, StoreRefused):  # what stays is not taken here again, and ends by itself
            await self._store.delete(names)


def _open(sealing_key: SealingKey, name: bytes, value: Any, mark: bytes | None) -> Answer | None:
    content = sealing_key.open(name, value) if mark is not None and isinstance(value, bytes) else None
    if mark is None or content is None or not content.startswith(mark):
        return None
    return decode_answer(content.removeprefix(mark))


def _mark(generations: Sequence[Any]) -> bytes | None:
    """What an answer of these generations begins with: of one length, whatever is in the store."""
    if not all(generations):
        return None
    return sha256(b"".join([sha256(each).digest() for each in generations])).digest()[:_MARK_SIZE]


def _is_final_refusal(outcome: Outcome) -> bool:
    """Whether it ends what there was before: not where nobody could be asked."""
    return isinstance(outcome, ProxyError) and outcome.remember_by is not None


def _remembered(refusal: ProxyError) -> float:
    return min(refusal.remember_for, LONGEST[refusal.remember_by])


def build_shared_cache(
    settings: models.SharedCache,
    *,
    max_ttl: float,
    users: UserRevocations,
    clock: Clock,
    background: Background,
) -> SharedCache:
    """As configured. Raises ConfigurationError; nothing is sent yet."""
    try:
        from .valkey import connect  # noqa: PLC0415 - an extra, needed here alone
    except ImportError as error:
        message = "needs the Valkey client: pip install 'obo-proxy[valkey]'"
        raise ConfigurationError((Fault("cache.shared", message),)) from error
    try:
        store = connect(settings.url.get_secret_value())
    except ValueError as error:
        raise ConfigurationError((Fault("cache.shared.url", "names no store"),)) from error
    try:
        keys = KeyFile(settings.encryption_key_file)
    except (ValueError, OSError) as error:
        raise ConfigurationError((Fault("cache.shared.encryption_key_file", str(error)),)) from error
    return SharedCache(store, keys, users=users, max_ttl=max_ttl, clock=clock, background=background)
