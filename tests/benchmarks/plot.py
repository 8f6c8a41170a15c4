"""The results as one picture: who forwards how much, and how long the slowest of a hundred requests takes.

Of several runs a bar ends at the least of their medians, and a lighter one behind it at the most.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .results import OURS, REFERENCE, Results
from .table import show_range

PANELS = (
    ("hit", "efficiency", "requests for the same CPU time, share of Envoy"),
    ("paced", "p99", "p99 at one rate of requests, share of Envoy's"),
    ("download", "rate", "100 MiB down, share of Envoy"),
)
Range = tuple[float, float]


def draw(runs: Sequence[Results], path: Path) -> None:
    """Writes an SVG; panels without figures are left out."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    panels = [panel for panel in PANELS if _bars(runs, *panel[:2])]
    if not panels:
        return
    figure, axes = plt.subplots(1, len(panels), figsize=(6 * len(panels), 4.5), squeeze=False)
    for axis, (work, name, title) in zip(axes[0], panels, strict=True):
        bars = _bars(runs, work, name)
        peers, (least, most) = list(bars), zip(*bars.values(), strict=True)
        colours = ["#d1495b" if peer.startswith(OURS) else "#9aa5b1" for peer in bars]
        drawn = axis.barh(peers, most, color=colours, alpha=0.4)
        axis.barh(peers, least, color=colours)
        axis.bar_label(drawn, [show_range(ends) for ends in bars.values()], padding=3, fontsize=8)
        axis.axvline(1, color="#333333", linewidth=0.8, linestyle=":")
        axis.invert_yaxis()
        axis.margins(x=0.2)
        axis.set_title(title, fontsize=10)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def _bars(runs: Sequence[Results], work: str, figure: str) -> dict[str, Range]:
    """Shares of the reference, the best first; what no proxy gives ("direct") is left out."""
    peers = dict.fromkeys(peer for run in runs for peer in run.verifies if peer != "direct")
    bars = {}
    for peer in peers:
        shares = [share for run in runs if (share := _share(run, work, peer, figure)) is not None]
        if shares:
            bars[peer] = (min(shares), max(shares))
    if REFERENCE not in bars:
        return {}
    return dict(sorted(bars.items(), key=lambda item: item[1], reverse=figure != "p99"))


def _share(run: Results, work: str, peer: str, figure: str) -> float | None:
    if figure != "efficiency":
        return run.share(work, peer, figure)
    spread = run.efficiency(work, peer)
    return None if spread is None else spread.median
