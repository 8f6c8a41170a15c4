"""How many signatures that do not hold may be checked: token buckets, one for all and one for each address."""

from __future__ import annotations

from typing import Final

from cachetools import TTLCache

from ..runtime import Clock

RATE: Final = 100.0  # checks a second, and at once: some 50 µs each, half a hundredth of a core
SHARE: Final = 10.0  # of them by one address, so that one stranger shuts out no other sender
MOST_ADDRESSES: Final = 10_000  # some 300 bytes each
_TRUSTED_FOR: Final = 3600.0  # s


class _Bucket:
    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._left = rate
        self._at = now

    def fill(self, now: float) -> float:
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left

    def add(self, checks: float) -> None:
        self._left += checks


class Allowance:
    """What a check costs is given back once its signature has held, so that true senders are held up by nobody.

    Should strangers of many addresses use up what there is for all, addresses of which a signature has held within the
    hour go on by their own share.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all = _Bucket(RATE, clock.monotonic())
        self._addresses: TTLCache[str, _Bucket] = TTLCache(
            MOST_ADDRESSES, _TRUSTED_FOR, timer=clock.monotonic
        )
        self._trusted: TTLCache[str, None] = TTLCache(MOST_ADDRESSES, _TRUSTED_FOR, timer=clock.monotonic)

    def spend(self, address: str) -> bool:
        """Whether a signature that came from ``address`` may be checked now."""
        now = self._clock.monotonic()
        own = self._addresses.get(address)
        if own is None:
            own = self._addresses[address] = _Bucket(SHARE, now)
        trusted = address in self._trusted
        if own.fill(now) < 1 or (self._all.fill(now) < 1 and not trusted):
            return False
        own.add(-1)
        if not trusted:
            self._all.add(-1)
        return True

    def give_back(self, address: str) -> None:
        """The signature held."""
        if address in self._addresses:
            self._addresses[address].add(1)
        if address not in self._trusted:
            self._all.add(1)
        self._trusted[address] = None
