"""Revocations on their way into the store: each is owed until it is written, past whatever keeps it away.

To write one is two things. The owner's generation goes, so that nothing shared before is ever read again, of the owner
or of those for whom the owner acts; that of a user is kept by itself, for whoever verifies a token of that user's. Then
the stream tells the replicas to drop what they have. The order matters: whoever hears of it finds nothing old any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from ...runtime import Background, Clock
from ..replicas import RevocationOwed
from ..revocation import Revocation, encode_told
from ..user_revocations import LASTING, MARGIN
from .keys import Keys, build_generation_name, build_user_name
from .sealing import SealingKey
from .store import Store, StoreRefused, to_milliseconds, within
from .stream import PATIENCE, Stream

BUDGET: Final = 2.0  # s that whoever revokes waits for it to be written
PAUSE: Final = 0.5  # s between two tries
MOST_OWED: Final = 10_000  # some 300 bytes each
BATCH: Final = 64  # revocations written at once

log = logging.getLogger(__name__)

_Id = tuple[str, bytes]  # kind and key


class _Timed(NamedTuple):
    """``ends_at`` is monotonic: when nothing is left that it could revoke."""

    revocation: Revocation
    ends_at: float


class Teller:
    """Writes revocations, and those again that the store has lost. ``name`` is this replica's in what it tells.

    A revocation is owed no longer than ``lasting`` seconds: nothing older is left to be revoked by then. Of more than
    ``MOST_OWED`` none is taken, and as it cannot be remembered whose it was, everybody is barred for so long.
    """

    def __init__(
        self, name: str, store: Store, keys: Keys, *, lasting: float, clock: Clock, background: Background
    ) -> None:
        self._name = name
        self._store = store
        self._keys = keys
        self._lasting = lasting
        self._clock = clock
        self._background = background
        # Both in the order in which they end, but for what was owed before. To take the first out of a plain dictionary
        # costs a look at every place that was left before it.
        self._owed: OrderedDict[_Id, _Timed] = OrderedDict()
        self._told: OrderedDict[_Id, _Timed] = OrderedDict()
        self._all_barred_until = 0.0
        self._taken_over = False
        self._failure: str | None = None
        self._tried = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None

    @property
    def owed(self) -> tuple[Revocation, ...]:
        """Those that are not written yet."""
        now = self._clock.monotonic()
        return tuple(each.revocation for each in self._owed.values() if now < each.ends_at)

    def bars(self, owner: bytes) -> bool:
        """Whether what is shared of ``owner`` may still be of before a revocation."""
        return ("owner", owner) in self._owed or self._clock.monotonic() < self._all_barred_until

    async def tell(self, *revocations: Revocation) -> None:
        """Raises RevocationOwed where the store has not taken them in time, or not at all."""
        for revocation in revocations:
            self._owe(revocation)
        with suppress(TimeoutError):
            async with asyncio.timeout(BUDGET):
                while any(map(self._is_owed, revocations)):
                    await self._tried.wait()
                    if self._failure == "refused":
                        break
        if any(map(self._is_owed, revocations)):
            raise RevocationOwed(self._failure or "away")

    def tell_again(self) -> None:
        """The store has lost things, perhaps also what replicas have not heard of yet."""
        self._forget_ended()
        for told in tuple(self._told.values()):
            with suppress(RevocationOwed):  # there were others first: they are owed, and everybody is barred
                self._owe(told.revocation, told.ends_at)

    def take_over(self, before: Teller) -> None:
        """Owe what ``before``, which ends, owes."""
        for owed in tuple(before._owed.values()):
            with suppress(RevocationOwed):
                self._owe(owed.revocation, owed.ends_at)
        before._taken_over = True

    def close(self) -> None:
        if self.owed and not self._taken_over:
            log.error("revocations were never written", extra={"owed": len(self.owed)})

    def _is_owed(self, revocation: Revocation) -> bool:
        return _id(revocation) in self._owed

    def _owe(self, revocation: Revocation, ends_at: float | None = None) -> None:
        self._forget_ended()
        if len(self._owed) >= MOST_OWED and not self._is_owed(revocation):
            self._all_barred_until = self._clock.monotonic() + self._lasting
            log.error("too many revocations are owed", extra={"owed": len(self._owed)})
            raise RevocationOwed("overflow")
        if ends_at is None:
            ends_at = self._clock.monotonic() + (LASTING if revocation.kind == "user" else self._lasting)
        self._owed.pop(_id(revocation), None)
        self._owed[_id(revocation)] = _Timed(revocation, ends_at)
        if self._telling is None or self._telling.done():
            self._telling = self._background.spawn(self._tell_all(), name="revocations")

    async def _tell_all(self) -> None:
        while self._owed:
            await self._try(tuple(islice(self._owed.values(), BATCH)))
            # Who waits looks at what has become of it, and waits for the next try.
            self._tried.set()
            self._tried = asyncio.Event()
            if self._failure is not None:
                await asyncio.sleep(PAUSE)
                self._forget_ended()

    async def _try(self, batch: Sequence[_Timed]) -> None:
        try:
            await self._write([each.revocation for each in batch])
        except Exception as error:  # noqa: BLE001  the client's own tree, and it must be tried again
            self._note_failure("refused" if isinstance(error, StoreRefused) else "away", error)
            return
        self._note_success()
        for each in batch:
            self._keep_told(each)
            if self._owed.get(_id(each.revocation)) is each:  # else the user was revoked again meanwhile
                del self._owed[_id(each.revocation)]

    def _keep_told(self, told: _Timed) -> None:
        self._told.pop(_id(told.revocation), None)
        if len(self._told) >= MOST_OWED:
            self._told.popitem(last=False)
        self._told[_id(told.revocation)] = told

    def _forget_ended(self) -> None:
        now = self._clock.monotonic()
        for table in (self._owed, self._told):
            while table and next(iter(table.values())).ends_at <= now:
                table.popitem(last=False)

    async def _write(self, batch: Sequence[Revocation]) -> None:
        keys = self._keys()
        names = [
            build_generation_name(each, key) for each in keys for kind, key, _ in batch if kind == "owner"
        ]
        if names:
            await within(PATIENCE, partial(self._store.delete, names), self._background)
        for revocation in batch:
            if revocation.kind == "user":
                await self._keep(keys[0], revocation)
        content = encode_told(self._name, batch)
        for each in keys:
            await Stream(self._store, each, self._background).append(content)

    async def _keep(self, sealing_key: SealingKey, revocation: Revocation) -> None:
        """For replicas that begin later, or lose what they heard."""
        name = build_user_name(sealing_key, revocation.key)
        sealed = sealing_key.seal(name, encode_told(self._name, [revocation]))
        put = partial(self._store.put, name, sealed, to_milliseconds(LASTING + MARGIN))
        await within(PATIENCE, put, self._background)

    def _note_failure(self, reason: str, error: Exception) -> None:
        if self._failure is None:
            extra = {"owed": len(self._owed), "reason": reason, "error": type(error).__name__}
            log.warning("revocations are owed", extra=extra)
        self._failure = reason

    def _note_success(self) -> None:
        if self._failure is not None:
            log.info("revocations are written")
        self._failure = None


def _id(revocation: Revocation) -> _Id:
    return revocation.kind, revocation.key
