"""``python -m tests.benchmarks.scale [--out DIR]``: how many exchanges a fleet of replicas makes, and Okta's limits.

Users are independent and alike, and ask at random (Poisson) times; so one of them, followed for long, stands for all.
An exchange takes no time, users' tokens outlive the exchanged ones, and everything else is as ``proxy/token_cache.py``
and ``proxy/shared_cache.py`` have it, with their defaults. No network, no clock: seconds here are the model's.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from proxy.config.models import Cache
from proxy.token_cache import LEEWAY_PART, REFRESH_PART

Mode = Literal["local, random", "local, sticky", "shared"]
MODES: Final[tuple[Mode, ...]] = ("local, random", "local, sticky", "shared")
DEFAULTS: Final = Cache()
REQUESTS: Final = 10_000  # of the one user who is followed
MINUTE: Final = 60.0
HOUR: Final = 3600.0
EVERYBODY: Final = 10**9  # entries: as many as there are users

# Requests a minute at the token URL that Okta publishes by plan; one app gets half unless told otherwise.
PLANS: Final = {"Developer (free)": 300, "One App, Enterprise": 1_200, "Workforce Identity": 2_000}
APP_PART: Final = 0.5
USER_LIMIT: Final = 4  # a second


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
        if not shared or now - stored >= bound or (held and stored == own):
            stored = now
            exchanges += counts
            awaited += counts and not held
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


REPLICAS: Final = (1, 2, 4, 8, 16, 32, 64)
USERS: Final = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
RATES: Final = {"every 10 min": 1 / (10 * MINUTE), "every minute": 1 / MINUTE, "every 10 s": 0.1}
LIVES: Final = {
    "5 min": (5 * MINUTE, DEFAULTS.revalidate_after),
    "1 h": (HOUR, DEFAULTS.revalidate_after),
    "1 h, revalidated after 1 h": (HOUR, HOUR),
}


def build_report() -> str:
    """All tables, in Markdown."""
    return (
        "\n\n".join((_table_of_replicas(), _table_of_users(), _table_of_entries(), _table_of_starts())) + "\n"
    )


def _table_of_replicas() -> str:
    rows = []
    for life, (lifetime, revalidate_after) in LIVES.items():
        for often, rate in RATES.items():
            for mode in MODES:
                fleet = Fleet(mode, rate=rate, lifetime=lifetime, revalidate_after=revalidate_after)
                loads = [simulate(replace(fleet, replicas=replicas)).exchanges for replicas in REPLICAS]
                rows.append([life, often, mode, *map(_figure, loads)])
    title = "Exchanges/s of 100,000 users, by replicas"
    return _table(title, ["tokens live", "a user asks", "cache", *map(str, REPLICAS)], rows)


def _table_of_users() -> str:
    rows = []
    for life, (lifetime, revalidate_after) in LIVES.items():
        for mode in MODES:
            fleet = Fleet(mode, 16, lifetime=lifetime, revalidate_after=revalidate_after)
            load = simulate(fleet)
            scaled = [load.exchanges * users / fleet.users for users in USERS]
            awaited = load.awaited / load.exchanges
            lookups = load.lookups / (fleet.users * fleet.rate)
            rows.append([life, mode, *map(_figure, scaled), f"{awaited:.0%}", f"{lookups:.2f}"])
    title = "Exchanges/s of 16 replicas, each user asking every minute, by users"
    heads = [f"{users:,}" for users in USERS]
    return _table(title, ["tokens live", "cache", *heads, "awaited", "store looked at, each request"], rows)


def _table_of_entries() -> str:
    rows = []
    for mode in MODES:
        fleet = Fleet(mode, 16, max_entries=DEFAULTS.max_entries)
        loads = [simulate(replace(fleet, users=users)) for users in USERS]
        rows.append([mode, "exchanges", *(_figure(load.exchanges) for load in loads)])
        if mode == "shared":
            rows.append([mode, "looks at the store", *(_figure(load.lookups) for load in loads)])
    title = f"The same, tokens of 1 h, where a replica keeps {DEFAULTS.max_entries:,} entries (the default)"
    return _table(title, ["cache", "a second", *(f"{users:,}" for users in USERS)], rows)


def _table_of_starts() -> str:
    rows = []
    for mode in MODES:
        fleets = [Fleet(mode, replicas) for replicas in REPLICAS]
        rows.append(
            ["one replica, first minute", mode, *(_figure(compute_cold(fleet, MINUTE)) for fleet in fleets)]
        )
    for mode in MODES:
        busy = [Fleet(mode, replicas, rate=10) for replicas in REPLICAS]
        rows.append(
            [
                "all, one user of 10 requests/s, first second",
                mode,
                *(f"{compute_burst(one):.1f}" for one in busy),
            ]
        )
    title = "Exchanges of a cold start (100,000 users, each asking every minute), by replicas"
    return _table(title, ["begins empty", "cache", *map(str, REPLICAS)], rows)


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return f"{title}:\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figure(value: float) -> str:
    """Two significant digits are what the model is good for."""
    if value <= 0:
        return "0"
    digits = 1 - math.floor(math.log10(value))
    return f"{round(value, digits):,.{max(0, digits)}f}"


COLOURS: Final = dict(zip(MODES, ("#c8394b", "#b07400", "#1f6fbf"), strict=True))


def draw(path: Path) -> None:
    """Three panels in one SVG, on a ground of its own, so that it reads alike on light and dark pages."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    mpl.rcParams.update(
        {"svg.hashsalt": "scale", "svg.fonttype": "none", "font.size": 9, "axes.titlesize": 10}
    )
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(1, 3, figsize=(15, 6), facecolor="white", width_ratios=(3, 3, 2))
    _draw_replicas(axes[0])
    _draw_users(axes[1])
    _draw_burst(axes[2])
    for axis in axes:
        axis.set_xscale("log")
        axis.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in (axes[0], axes[2]):
        axis.set_xticks(REPLICAS, map(str, REPLICAS))
        axis.set_xlabel("replicas")
    figure.tight_layout()
    figure.savefig(
        path, format="svg", metadata={"Date": None, "Title": "Exchanges per second against Okta's limits"}
    )
    plt.close(figure)


def _draw_replicas(axis) -> None:
    for mode in MODES:
        for life, style in (("1 h", "-"), ("1 h, revalidated after 1 h", "--")):
            lifetime, revalidate_after = LIVES[life]
            fleet = Fleet(mode, lifetime=lifetime, revalidate_after=revalidate_after)
            loads = [simulate(replace(fleet, replicas=replicas)).exchanges for replicas in REPLICAS]
            axis.plot(
                REPLICAS, loads, style, color=COLOURS[mode], marker="o", markersize=3, label=f"{mode}; {life}"
            )
    axis.set_yscale("log")
    axis.set_title("100,000 users, each asking every minute")
    axis.set_ylabel("exchanges/s")
    _draw_limits(axis, REPLICAS[-1])
    _place_legend(axis)


def _draw_users(axis) -> None:
    lifetime, revalidate_after = LIVES["1 h"]
    for mode in MODES:
        fleet = Fleet(mode, 16, lifetime=lifetime, revalidate_after=revalidate_after)
        load = simulate(fleet).exchanges / fleet.users
        axis.plot(USERS, [load * users for users in USERS], color=COLOURS[mode], label=mode)
        small = replace(fleet, max_entries=DEFAULTS.max_entries)
        loads = [simulate(replace(small, users=users)).exchanges for users in USERS]
        axis.plot(USERS, loads, ":", color=COLOURS[mode], label=f"{mode}; {DEFAULTS.max_entries:,} entries")
    axis.set_yscale("log")
    axis.set_title("16 replicas, tokens of 1 h, each user asking every minute")
    axis.set_xlabel("users")
    axis.set_ylabel("exchanges/s")
    _draw_limits(axis, USERS[-1])
    _place_legend(axis)


def _draw_limits(axis, right: float) -> None:
    """Half the org's limit for plans as they are sold, all of it for the largest."""
    lines = {f"one app (50 %), {plan}": limit * APP_PART for plan, limit in PLANS.items()}
    lines["org, Workforce Identity, tenfold"] = PLANS["Workforce Identity"] * 10
    for name, limit in lines.items():
        axis.axhline(limit / MINUTE, color="#555555", linewidth=0.8, linestyle=(0, (6, 3)))
        text = f"{name}: {_figure(limit / MINUTE)}/s"
        axis.text(right, limit / MINUTE, text, fontsize=8, ha="right", va="bottom", color="#333333")


def _draw_burst(axis) -> None:
    for mode in MODES:
        loads = [compute_burst(Fleet(mode, replicas, rate=10)) for replicas in REPLICAS]
        style = "--" if mode == "shared" else "-"
        axis.plot(REPLICAS, loads, style, color=COLOURS[mode], marker="o", markersize=3, label=mode)
    axis.axhline(USER_LIMIT, color="#555555", linewidth=0.8, linestyle=(0, (6, 3)))
    axis.text(REPLICAS[-1], USER_LIMIT, f"one user: {USER_LIMIT}/s", fontsize=8, ha="right", va="bottom")
    axis.set_ylim(bottom=0)
    axis.set_title("All cold: one user of 10 requests/s")
    axis.set_ylabel("that user's exchanges in the first second")
    _place_legend(axis)


def _place_legend(axis) -> None:
    """Below, where no line runs."""
    columns = 2 if len(axis.lines) > 6 else 1
    axis.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=columns, frameon=False)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"), help="where the results go")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    report = build_report()
    (out / "scale.md").write_text(report)
    draw(out / "scale.svg")
    print(report)


if __name__ == "__main__":
    main()
