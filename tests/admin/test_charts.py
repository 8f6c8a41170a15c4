"""Plots as SVG paths."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.charts import HEIGHT, POINTS, WIDTH, build_chart, draw, round_up
from proxy.admin.formats import show_rate


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 1), (0.03, 0.05), (1, 1), (1.1, 2), (4.9, 5), (7, 10), (99, 100), (101, 200), (0.001, 0.001)],
)
def test_axes_end_at_round_figures(value, top):
    """1, 2 or 5 times a power of ten."""
    assert round_up(value) == pytest.approx(top)


@given(st.lists(st.none() | st.floats(0, 1e6), max_size=POINTS))
def test_every_point_lies_on_the_drawing(values):
    """Whatever was measured, and however little of it there is."""
    line, area = draw(values, 1000.0)
    for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", line + area):
        assert -2 <= float(x) <= WIDTH
        assert 0 <= float(y) <= HEIGHT


def test_gaps_stay_gaps():
    """Each run without a gap is a line of its own; the latest stands at the right edge."""
    line, _ = draw([1.0, 2.0, None, 3.0], 10.0)
    assert line.count("M") == 2
    assert f"L{WIDTH:.1f} " in line


def test_a_plot_says_what_it_shows():
    """Its text alternative has now, lowest and highest of each curve."""
    points = [{"all": 1.0, "bad": None}, {"all": 4.0, "bad": None}]
    chart = build_chart(
        "Requests",
        points,
        {"all": 2.0, "bad": None},
        [("all", "all", "main"), ("bad", "5xx", "bad")],
        show_rate,
    )
    assert chart.summary == "Requests. all: now 2, lowest 1, highest 4; 5xx: nothing yet."
    assert (chart.top, chart.middle, chart.latest, chart.empty) == ("5", "2.5", "2", False)


def test_a_plot_of_nothing():
    """Before the first sample there is nothing to draw, and it is said."""
    chart = build_chart("Requests", [], {"all": None}, [("all", "all", "main")], show_rate)
    assert (chart.empty, chart.latest, chart.curves[0].line) == (True, "\u2013", "")
