"""Plots as SVG paths, drawn here, so that the page needs no script to show them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

WIDTH, HEIGHT = 360.0, 96.0  # of the drawing; the page stretches it
POINTS = 120  # an hour of half minutes


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot: the figure ``key`` of each point, ``style`` its look."""

    key: str
    label: str
    style: str
    line: str
    area: str
    latest: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot with its curves; ``top`` is what its upper edge means, ``summary`` says it without a picture."""

    title: str
    curves: tuple[Curve, ...]
    top: str
    middle: str
    latest: str
    summary: str
    empty: bool


def build_chart(
    title: str,
    points: Sequence[dict[str, Any]],
    latest: dict[str, Any],
    keys: Sequence[tuple[str, str, str]],
    show: Callable[[float], str],
    *,
    least: float = 0.0,
    ceiling: float | None = None,
) -> Chart:
    """The figures ``keys`` (key, label, style) of ``points``, on one scale that reaches at least ``least``."""
    seen = [point[key] for point in [*points, latest] for key, _, _ in keys if point[key] is not None]
    top = ceiling or round_up(max([*seen, least]))
    curves = tuple(
        Curve(key, label, style, *draw([point[key] for point in points], top), _show(latest[key], show))
        for key, label, style in keys
    )
    spoken = "; ".join(
        _summarize(label, [point[key] for point in points if point[key] is not None], latest[key], show)
        for key, label, _ in keys
    )
    first = latest[keys[0][0]]
    return Chart(
        title, curves, show(top), show(top / 2), _show(first, show), f"{title}. {spoken}.", empty=not points
    )


def draw(values: Sequence[float | None], top: float) -> tuple[str, str]:
    """The path of the line and of the area beneath; the last value stands at the right edge, gaps stay gaps."""
    first = POINTS - len(values)
    lines, areas = [], []
    for run in _find_runs(values, first):
        steps = [f"{_x(place):.1f} {_y(value, top):.1f}" for place, value in run]
        lines.append("M" + "L".join(steps))
        areas.append(f"M{_x(run[0][0]):.1f} {HEIGHT}L{'L'.join(steps)}L{_x(run[-1][0]):.1f} {HEIGHT}Z")
    return "".join(lines), "".join(areas)


def _find_runs(values: Sequence[float | None], first: int) -> list[list[tuple[float, float]]]:
    """Place and value of those that follow one another without a gap."""
    runs: list[list[tuple[float, float]]] = []
    before: float | None = None
    for place, value in enumerate(values, first):
        if value is not None:
            if before is None:
                runs.append([(place - 0.5, value)])  # so that one alone is seen too
            runs[-1].append((place, value))
        before = value
    return runs


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, …, so that an axis reads well."""
    if value <= 0:
        return 1.0
    magnitude = 10.0 ** floor(log10(value))
    return next(step * magnitude for step in (1, 2, 5, 10) if ceil(value / magnitude * 1e6) / 1e6 <= step)


def _summarize(
    label: str, values: Sequence[float], latest: float | None, show: Callable[[float], str]
) -> str:
    if not values:
        return f"{label}: nothing yet"
    return f"{label}: now {_show(latest, show)}, lowest {show(min(values))}, highest {show(max(values))}"


def _show(value: float | None, show: Callable[[float], str]) -> str:
    return "\u2013" if value is None else show(value)


def _x(place: float) -> float:
    return place / (POINTS - 1) * WIDTH


def _y(value: float, top: float) -> float:
    return HEIGHT - 1 - min(value / top, 1.0) * (HEIGHT - 3)
