"""A model of many replicas: how many exchanges they make.

Users are independent and alike, and ask at random (Poisson) times; so one of them, followed for long, stands for all.
An exchange takes no time, users' tokens outlive the exchanged ones, and everything else is as ``proxy/cache``
has it, with its defaults. No network, no clock: seconds here are the model's.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Final, Literal

from proxy.cache.token_cache import LEEWAY_PART, REFRESH_PART
from proxy.config.models import Cache

Mode = Literal["local, random", "local, sticky", "shared"]
MODES: Final[tuple[Mode, ...]] = ("local, random", "local, sticky", "shared")
DEFAULTS: Final = Cache()
REQUESTS: Final = 10_000  # of the one user who is followed
MINUTE: Final = 60.0
HOUR: Final = 3600.0
EVERYBODY: Final = 10**9  # entries: as many as there are users


@dataclass(frozen=True)
class Fleet:
    """Replicas, who asks them, and what they remember. ``rate`` is one user's requests a second; times are in s."""

    mode: Mode
    replicas: int = 1
    users: int = 100_000
    rate: float = 1 / MINUTE
    lifetime: float = HOUR
    revalidate_after: float = DEFAULTS.revalidate_after
    max_entries: int = EVERYBODY

    @property
    def bound(self) -> float:
        """How long a token may be kept at all."""
        return min(self.lifetime, DEFAULTS.max_ttl)

    @property
    def usable(self) -> float:
        """How long a replica gives it."""
        return self.bound - min(DEFAULTS.expiry_leeway, self.bound * LEEWAY_PART)

    @property
    def due(self) -> float:
        """The age at which a hit renews it in the background."""
        refresh = self.usable - min(DEFAULTS.refresh_ahead, self.usable * REFRESH_PART)
        return min(refresh, self.revalidate_after)

    @property
    def spread(self) -> int:
        """Over how many replicas the requests of one user go."""
        return 1 if self.mode == "local, sticky" else self.replicas

    @property
    def patience(self) -> float:
        """After how long without use an entry has left for others (Che's approximation of LRU)."""
        held = self.max_entries * self.replicas / (self.users * self.spread)
        return math.inf if held >= 1 else -math.log1p(-held) * self.spread / self.rate


@dataclass(frozen=True)
class Load:
    """By the second, of all users: calls at the token URL, those that somebody waits for, and looks at the store."""

    exchanges: float
    awaited: float
    lookups: float


def simulate(fleet: Fleet, seed: int = 1) -> Load:
    """One user's requests, one by one, until what was cold at first no longer counts."""
    chance = random.Random(seed)
    obtained, used = {}, {}  # by replica: when its token was obtained, and last given
    stored = -math.inf  # when the token in the shared cache was obtained
    shared = fleet.mode == "shared"
    bound, usable, due, patience = fleet.bound, fleet.usable, fleet.due, fleet.patience
    begin = 2 * bound
    end = begin + REQUESTS / fleet.rate
    exchanges = awaited = lookups = 0
    now = 0.0
    while (now := now + chance.expovariate(fleet.rate)) < end:
        replica = chance.randrange(fleet.spread)
        own = obtained.get(replica, -math.inf)
        held = now - own < usable and now - used[replica] < patience
        used[replica] = now
        if held and now - own < due:
            continue
        counts = now >= begin
        lookups += counts and shared
        if (
            not shared or now - stored >= due
        ):  # what is found in the store is given, and renewed where it is due
            awaited += counts and not held and not (shared and now - stored < bound)
            exchanges += counts
            stored = now
        obtained[replica] = stored
    each = fleet.users / (end - begin)
    return Load(exchanges * each, awaited * each, lookups * each)


def compute(fleet: Fleet) -> float:
    """Exchanges a second where nothing is shared or evicted: the first request after an entry is due brings the next.

    Whether that one finds the entry still usable (and renews it) or not (and waits), the cycle is as long.
    """
    return fleet.users * fleet.spread / (fleet.due + fleet.spread / fleet.rate)


def compute_cold(fleet: Fleet, seconds: float) -> float:
    """Exchanges because one replica of a warm fleet begins empty: of the users who come to it within ``seconds``."""
    if fleet.mode == "shared":
        return 0.0
    share = fleet.users / (fleet.replicas / fleet.spread)
    return share * -math.expm1(-fleet.rate * seconds / fleet.spread)


def compute_burst(fleet: Fleet) -> float:
    """One user's exchanges in a second where the whole fleet is cold: the replicas that the user's requests meet."""
    if fleet.mode != "local, random":
        return 1.0
    return (
        fleet.replicas * -math.expm1(math.log1p(-1 / fleet.replicas) * fleet.rate)
        if fleet.replicas > 1
        else 1.0
    )
