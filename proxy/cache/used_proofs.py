"""RFC 9449 §11.1: each proof once, for as long as it could be taken.

A proof is remembered here, in memory, and by all replicas where they share a cache. Where that cannot be asked the
proof is refused: nobody could tell whether another replica has taken it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol

from ..errors import Overloaded, ProofInvalid
from ..runtime import STEPS, Clock, keep_from_collector

MOST: Final = 500_000  # proofs, some 110 bytes each: 55 MB, and 5000 a second, which a core is busy with
# s: what ends within one is forgotten one after the other, ``STEPS`` with each proof that comes.
SLOT: Final = 16
_NAME_SIZE: Final = 15  # bytes, as many as fit into 48 with what Python needs


class SharedUses(Protocol):
    """What replicas tell each other of proofs."""

    async def claim(self, name: bytes, seconds: float) -> bool:
        """Whether nobody has claimed ``name`` within the last ``seconds``. Raises ProofUncheckable."""
        ...


@dataclass(slots=True)
class _Slot:
    """Names that end within the same seconds; ``ends_at`` (epoch seconds) is the last one's end."""

    ends_at: float
    names: set[bytes] = field(default_factory=set)


class UsedProofs:
    """Outlives reloads, as what it remembers does.

    Nothing is forgotten before both clocks say so: the wall clock, by which proofs are judged, may be set.
    """

    def __init__(self, clock: Clock, *, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._slots: dict[int, _Slot] = {}
        self._count = 0
        self._window = 0.0
        self.complete_since = 0.0  # epoch s: of proofs that were made before some may have been forgotten

    def __len__(self) -> int:
        return self._count

    def widen(self, window: float) -> None:
        """Proofs are taken for ``window`` s from now on: longer, maybe, than earlier ones were remembered for."""
        if 0 < self._window < window:
            self.complete_since = self._clock.time() - self._window
        self._window = window

    async def use(self, key: str, token_id: str, ends_at: float, shared: SharedUses | None) -> None:
        """Take the proof ``token_id`` of ``key``, which is good until ``ends_at`` (epoch seconds).

        Raises ProofInvalid where it was used before, Overloaded where there are too many to remember one more,
        ProofUncheckable where other replicas may have taken it.
        """
        name = sha256(f"{key}.{token_id}".encode()).digest()
        if not self._add(name[:_NAME_SIZE], ends_at):
            raise ProofInvalid("the proof was used before")
        if shared is not None and not await shared.claim(name, ends_at - self._clock.time()):
            raise ProofInvalid("the proof was used before, at another process")

    def _add(self, name: bytes, ends_at: float) -> bool:
        self._forget_ended()
        if any(name in slot.names for slot in self._slots.values()):
            return False
        if self._count >= self._most:
            raise Overloaded(
                f"more than {self._most} proofs to remember", remedy="Add replicas: each remembers its own."
            )
        number = int(self._clock.monotonic() + ends_at - self._clock.time()) // SLOT
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = _Slot(ends_at)
            keep_from_collector(slot.names)
        slot.ends_at = max(slot.ends_at, ends_at)
        slot.names.add(name)
        self._count += 1
        return True

    def _forget_ended(self) -> None:
        """Some of them: each proof that comes makes room for more than itself."""
        ended, now = int(self._clock.monotonic()) // SLOT, self._clock.time()
        for number, slot in self._slots.items():
            if number < ended and slot.ends_at < now:
                self._forget_some(number, slot.names)
                return

    def _forget_some(self, number: int, names: set[bytes]) -> None:
        for _ in range(min(STEPS, len(names))):
            names.pop()
            self._count -= 1
        if not names:
            del self._slots[number]
