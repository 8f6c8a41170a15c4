"""Revocations of other replicas, heard within a second of their being written.

Each replica holds its place in the stream by the entry that it read last. That entry must still be there at the next
look: where it is not, the store has lost or dropped things, and with them perhaps what was not heard yet. A replica
that cannot know what it has missed, or cannot look at all, is *in doubt*: it has its cache renew what is in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ...runtime import Background, Clock
from ..replicas import Revocable
from ..revocation import Revocations, decode_told, encode_told
from .keys import Keys
from .store import Store, StoreRefused
from .stream import MOST_ENTRIES, PAGE, Entry, Stream

PERIOD: Final = 0.5  # s between two looks
DEAF_AFTER: Final = 5.0  # s without one
RENEWED_WITHIN: Final = 300.0  # s in which the cache renews what is in doubt
DOUBT_PAUSE: Final = 60.0  # s between two doubts: each is a walk over all entries
KEPT_FOR: Final = 3600.0  # s after which the stream's end is moved on
# In one look: a stream that grows faster than it is read has an end.
_MOST_PAGES: Final = 2 * MOST_ENTRIES // PAGE

log = logging.getLogger(__name__)


class Hearing:
    """Looks at the streams every ``PERIOD`` once started; ``name`` is this replica's, whose own words it skips.

    What is heard goes into ``revocations`` and to ``listener``; ``lost`` is called where the store has lost things.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        keys: Keys,
        listener: Revocable,
        *,
        revocations: Revocations,
        lost: Callable[[], None],
        clock: Clock,
        background: Background,
    ) -> None:
        self._name = name
        self._store = store
        self._keys = keys
        self._listener = listener
        self._revocations = revocations
        self._lost = lost
        self._clock = clock
        self._background = background
        self._places: dict[bytes, bytes] = {}  # by stream
        self._heard_at = self._prolonged_at = clock.monotonic()
        self._deaf = self._in_doubt = False
        self._next_doubt = 0.0

    @property
    def unheard_for(self) -> float:
        """Seconds since the last look, once they are too many."""
        silence = self._clock.monotonic() - self._heard_at
        return silence if silence > DEAF_AFTER else 0.0

    def start(self) -> None:
        """From now on, for as long as the background runs."""
        self._background.spawn(self._listen(), name="revocations")

    async def _listen(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001  the client's own tree; whatever it is, the next look may succeed
                self._note_failure(error)
            else:
                self._note_success()
            self._doubt_if_due()
            await asyncio.sleep(PERIOD)

    async def look(self) -> None:
        """Hear what was told since the last look. Raises StoreRefused, and whatever the store's client raises."""
        streams = [Stream(self._store, each, self._background) for each in self._keys()]
        self._places = {each.name: self._places[each.name] for each in streams if each.name in self._places}
        for stream in streams:
            for _ in range(_MOST_PAGES):
                if not await self._read_on(stream):
                    break
        if self._clock.monotonic() - self._prolonged_at >= KEPT_FOR:
            self._prolonged_at = self._clock.monotonic()
            for stream in streams:
                await stream.prolong()

    async def _read_on(self, stream: Stream) -> bool:
        """One page. Whether there may be more."""
        place = self._places.get(stream.name)
        entries = await stream.read(place)
        if place is not None:
            if not entries or entries[0][0] != place:
                self._lose(stream)
                return True
            del entries[0]
        elif not entries:
            return await self._begin(stream)
        for entry in entries:
            self._hear(stream, entry)
        return len(entries) >= PAGE - 1

    async def _begin(self, stream: Stream) -> bool:
        """An entry to hold the place by, before anybody has revoked anything; heard at the next page."""
        with suppress(StoreRefused):  # full or read-only: what comes is read from the beginning
            await stream.append(encode_told(self._name, ()))
            return True
        return False

    def _lose(self, stream: Stream) -> None:
        log.warning("the shared cache has lost revocations")
        del self._places[stream.name]
        self._in_doubt = True
        self._lost()

    def _hear(self, stream: Stream, entry: Entry) -> None:
        place, content = entry
        told = decode_told(content or b"")
        if not told.whole:
            self._doubt_unreadable()
        if told.teller != self._name:
            for revocation in told.revocations:
                self._revocations.add(revocation)
            self._listener.hear(told.revocations)
        self._places[stream.name] = place

    def _doubt_unreadable(self) -> None:
        if not self._in_doubt:
            log.warning("a revocation cannot be read")
        self._in_doubt = True

    def _note_failure(self, error: Exception) -> None:
        if not self.unheard_for:
            return
        self._in_doubt = True
        if not self._deaf:
            log.warning("revocations are not heard", extra={"error": type(error).__name__})
        self._deaf = True

    def _note_success(self) -> None:
        if self._deaf:
            log.info("revocations are heard again", extra={"seconds": round(self.unheard_for, 1)})
        self._deaf = False
        self._heard_at = self._clock.monotonic()

    def _doubt_if_due(self) -> None:
        now = self._clock.monotonic()
        if self._in_doubt and now >= self._next_doubt:
            self._in_doubt = False
            self._next_doubt = now + DOUBT_PAUSE
            self._listener.doubt(RENEWED_WITHIN)
