"""Proofs that any replica has taken: a name in the store for each, until it would be refused for its age.

With each key of the key file, so that replicas that have not all read the next key yet tell each other still. Names are
HMACs, and there is nothing to read but that they are there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ...errors import ProofUncheckable
from ...runtime import Background, Clock
from .keys import Keys, build_proof_name
from .store import GuardedStore, Store, StoreAway, StoreRefused, to_milliseconds

BUDGET: Final = 0.5  # s: a request waits that long, for without the answer it is refused
MARGIN: Final = 60.0  # s that replicas' clocks may differ


class SharedProofs:
    """Implements ``SharedUses`` on ``store``; also gives the keys by which replicas know each other's nonces."""

    def __init__(self, store: Store, keys: Keys, *, clock: Clock, background: Background) -> None:
        self._store = GuardedStore(store, clock=clock, background=background, budget=BUDGET)
        self._keys = keys

    @property
    def failures(self) -> int:
        return self._store.failures

    def read_signers(self) -> list[Callable[[bytes], bytes]]:
        return [each.sign for each in self._keys()]

    async def claim(self, name: bytes, seconds: float) -> bool:
        lasting = to_milliseconds(seconds + MARGIN)
        try:
            claims = [
                await self._store.put_new(build_proof_name(each, name), b"1", lasting)
                for each in self._keys()
            ]
        except (StoreAway, StoreRefused) as error:
            raise ProofUncheckable(f"the shared cache cannot say: {type(error).__name__}") from None
        return all(claims)
