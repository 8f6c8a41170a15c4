"""The results as one picture: who forwards how much, and how long the slowest of a hundred requests takes."""

from __future__ import annotations

from pathlib import Path

from .results import OURS, REFERENCE, Results

PANELS = (
    ("hit", "efficiency", "requests for the same CPU time, share of Envoy"),
    ("paced", "p99", "p99 at one rate of requests, share of Envoy's"),
    ("download", "rate", "100 MiB down, share of Envoy"),
)


def draw(results: Results, path: Path) -> None:
    """Writes an SVG; panels without figures are left out."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    panels = [panel for panel in PANELS if _bars(results, *panel[:2])]
    if not panels:
        return
    figure, axes = plt.subplots(1, len(panels), figsize=(6 * len(panels), 4.5), squeeze=False)
    for axis, (work, name, title) in zip(axes[0], panels, strict=True):
        bars = _bars(results, work, name)
        colours = ["#d1495b" if peer == OURS else "#9aa5b1" for peer in bars]
        drawn = axis.barh(list(bars), list(bars.values()), color=colours)
        axis.bar_label(drawn, fmt="%.2f", padding=3, fontsize=8)
        axis.axvline(1, color="#333333", linewidth=0.8, linestyle=":")
        axis.invert_yaxis()
        axis.margins(x=0.12)
        axis.set_title(title, fontsize=10)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def _bars(results: Results, work: str, figure: str) -> dict[str, float]:
    """Shares of the reference, the best first; what no proxy gives ("direct") is left out."""
    shares = {peer: _share(results, work, peer, figure) for peer in results.verifies if peer != "direct"}
    known = {peer: share for peer, share in shares.items() if share is not None}
    if REFERENCE not in known:
        return {}
    return dict(sorted(known.items(), key=lambda item: item[1], reverse=figure != "p99"))


def _share(results: Results, work: str, peer: str, figure: str) -> float | None:
    if figure != "efficiency":
        return results.share(work, peer, figure)
    spread = results.efficiency(work, peer)
    return None if spread is None else spread.median
