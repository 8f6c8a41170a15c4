"""The stream of revocations in the store: whoever revokes appends to it, every replica reads it.

The store orders the entries, so no replica's clock matters. Each key of the key file has a stream of its own,
whose entries are sealed under its name. It is bounded in entries, and ends a day after the last replica.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from ...runtime import Background
from .keys import build_stream_name
from .sealing import SealingKey
from .store import Store, to_milliseconds, within

PATIENCE: Final = 3.0  # s for one command: no request waits for it
MOST_ENTRIES: Final = 10_000  # some 250 bytes each: 2.5 MB, and a minute of a purge every 6 ms
PAGE: Final = 100  # entries read at once
LIFETIME: Final = 86_400.0  # s

Entry = tuple[bytes, bytes | None]  # its place, and its content unless it cannot be opened


class Stream:
    """One key's. Raises StoreRefused, TimeoutError, and whatever the store's client raises."""

    def __init__(self, store: Store, sealing_key: SealingKey, background: Background) -> None:
        self.name = build_stream_name(sealing_key)
        self._store = store
        self._sealing_key = sealing_key
        self._background = background

    async def append(self, content: bytes) -> None:
        sealed = self._sealing_key.seal(self.name, content)
        append = partial(self._store.append, self.name, sealed, MOST_ENTRIES, to_milliseconds(LIFETIME))
        await within(PATIENCE, append, self._background)

    async def read(self, place: bytes | None) -> list[Entry]:
        """From ``place``, itself included if it is still there, or from the beginning; a page at most."""
        read = partial(self._store.read, self.name, place, PAGE)
        entries = await within(PATIENCE, read, self._background)
        return [(at, self._open(sealed)) for at, sealed in entries]

    async def prolong(self) -> None:
        prolong = partial(self._store.prolong, self.name, to_milliseconds(LIFETIME))
        await within(PATIENCE, prolong, self._background)

    def _open(self, sealed: object) -> bytes | None:
        return self._sealing_key.open(self.name, sealed) if isinstance(sealed, bytes) else None
