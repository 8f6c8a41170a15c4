"""``python -m tests.benchmarks.scale [--out DIR]``: exchanges of many replicas beside Okta's limits.

By the model in ``fleet.py``: no network, nothing is measured.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from .fleet import DEFAULTS, HOUR, MINUTE, MODES, Fleet, compute_burst, compute_cold, simulate

# Requests a minute at the token URL that Okta publishes by plan; one app gets half unless told otherwise.
PLANS: Final = {"Developer (free)": 300, "One App, Enterprise": 1_200, "Workforce Identity": 2_000}
APP_PART: Final = 0.5
USER_LIMIT: Final = 4  # a second

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
WIDTHS: Final = {
    "local, random": 1.5,
    "local, sticky": 5,
    "shared": 1.5,
}  # where two are alike, both are seen


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
                REPLICAS,
                loads,
                style,
                color=COLOURS[mode],
                lw=WIDTHS[mode],
                marker="o",
                ms=3,
                label=f"{mode}; {life}",
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
        axis.plot(USERS, [load * users for users in USERS], color=COLOURS[mode], lw=WIDTHS[mode], label=mode)
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
    """What Okta grants: to one app, and to the whole org."""
    lines = {
        "Developer (free), one app": PLANS["Developer (free)"] * APP_PART,
        "One App or Enterprise, one app": PLANS["One App, Enterprise"] * APP_PART,
        "One App or Enterprise, org": PLANS["One App, Enterprise"],
        "Workforce Identity, org": PLANS["Workforce Identity"],
        "Workforce Identity tenfold, org": PLANS["Workforce Identity"] * 10,
    }
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
