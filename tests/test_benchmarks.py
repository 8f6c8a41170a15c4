"""The benchmarks' own writers: medians, shares, promises, table and picture. No server is started."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from .benchmarks.__main__ import main
from .benchmarks.plot import draw
from .benchmarks.results import Results, Sample
from .benchmarks.table import build_table
from .benchmarks.targets import TARGETS


@pytest.fixture
def results() -> Results:
    samples = [
        Sample(
            "start", "obo-proxy", {"ready": 0.4, "memory": 40 * 1024 * 1024, "resident": 50 * 1024 * 1024}
        ),
        *(
            Sample("hit", "obo-proxy", {"rate": rate, "cpu": 1e-4, "p99": 0.002})
            for rate in (900, 9_000, 950)
        ),
        *(Sample("hit", "Envoy", {"rate": rate, "cpu": 1e-4, "p99": 0.002}) for rate in (1_000, 1_000, 10)),
        Sample("hit", "nginx", fault="OSError: out | of time"),
        *(Sample("routes", f"{count} routes", {"rate": rate}) for count, rate in ((1, 1_000), (1_000, 800))),
    ]
    verifies = {"obo-proxy": "yes", "Envoy": "jwt_authn", "nginx": "no"}
    return Results("a machine", "3.11", verifies, {"Caddy": "not on PATH"}, samples)


def test_share_is_of_medians(results: Results) -> None:
    """One odd repetition on either side changes nothing."""
    assert results.share("hit", "obo-proxy") == 0.95


@pytest.mark.parametrize(
    ("ours", "theirs", "spread"),
    [
        ([1.0, 2.0, 4.0], [2.0, 2.0, 2.0], (1.0, 0.5, 2.0)),
        ([1.0], [3.0, 9.0], (3.0, 3.0, 3.0)),
        ([1.0, None], [2.0, 2.0], (2.0, 2.0, 2.0)),
        ([], [2.0], None),
    ],
    ids=["round by round", "fewer rounds", "a round that failed", "none"],
)
def test_efficiency_has_a_spread(
    ours: list[float | None], theirs: list[float], spread: tuple[float, float, float] | None
) -> None:
    """Each round is a ratio of its own: what slows both down changes nothing."""
    results = Results("a machine")
    for peer, times in (("obo-proxy", ours), ("Envoy", theirs)):
        results.samples += [Sample("hit", peer, {"cpu": time} if time else {}) for time in times]
    assert results.efficiency("hit", "obo-proxy") == spread


def test_promises_are_judged_by_their_limits(results: Results) -> None:
    """What was measured is kept or not; what was not measured is neither."""
    verdicts = {
        target.text: target.met(measured)
        for target in TARGETS
        if (measured := target.measure(results)) is not None
    }
    assert verdicts == {
        "hit, by CPU time: share of Envoy with jwt_authn and its cache": True,
        "hit: share of Envoy with jwt_authn and its cache": True,
        "1,000 routes: share of one": False,
        "memory when idle (RSS), MiB": True,
        "start to ready, s": True,
    }
    assert len(verdicts) < len(TARGETS)


def test_missing_peers_are_named_with_their_reason(results: Results) -> None:
    """A peer that is not there, and one that failed at one work, stand in the table."""
    table = build_table([results])
    assert "| Caddy | all | not on PATH |" in table
    assert "| nginx | hit | OSError: out \\| of time |" in table


def test_picture_is_an_svg(results: Results, tmp_path: Path) -> None:
    """The plot is written as SVG."""
    pytest.importorskip("matplotlib")
    draw([results], tmp_path / "plot.svg")
    assert "<svg" in (tmp_path / "plot.svg").read_text()


def _slower(results: Results) -> Results:
    """Another run in which ours was half as fast, and routes were not measured."""
    samples = [
        replace(sample, figures={"rate": sample.figures["rate"] / 2, "cpu": sample.figures["cpu"] * 2})
        if (sample.work, sample.peer) == ("hit", "obo-proxy")
        else sample
        for sample in results.samples
        if sample.work != "routes"
    ]
    return replace(results, python="3.14", samples=samples)


@pytest.mark.parametrize(
    "line",
    [
        "Python: 3.11, 3.14. 2 runs: each figure is the range of their medians.",
        "| hit: share of Envoy with jwt_authn and its cache | ≥ 0.85 | 0.475 to 0.95 | in 1 of 2 |",
        "| 1,000 routes: share of one | ≥ 0.9 | 0.8 | **no** |",
        "| hit: share of Caddy | ≥ 1.2 | - | not measured |",
        "| obo-proxy | yes | 100 to 200 | - | 0.5 to 1 | 475 to 950 | - | 0.475 to 0.95 | - | 2 | - | - | - |",
    ],
    ids=["pythons", "a promise that one run broke", "measured in one run", "never measured", "a peer's row"],
)
def test_several_runs_are_told_as_ranges(results: Results, line: str) -> None:
    """From the least of their medians to the most: no run is told of alone."""
    assert line in build_table([results, _slower(results)]).splitlines()


def test_ratios_of_one_run_have_their_rounds_spread(results: Results) -> None:
    """The median, the least and the most of its rounds."""
    slow = replace(results.samples[1], figures={**results.samples[1].figures, "cpu": 2e-4})
    results.samples[1] = slow
    assert "| 1 (0.5 to 1) |" in build_table([results])


def test_runs_are_merged_from_their_files(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run has written is all that the table and the picture need."""
    pytest.importorskip("matplotlib")
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    readme = tmp_path / "README.md"
    readme.write_text("# Fast\n\n<!-- measured -->\n| old |\n<!-- end -->\nMore.\n")
    for file, run in zip(files, (results, _slower(results)), strict=True):
        file.write_text(run.to_json())
        assert Results.read(file) == run
    places = ["--out", str(tmp_path), "--readme", str(readme)]
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--merge", *map(str, files), *places])
    main()
    assert (tmp_path / "benchmarks.md").read_text() == build_table([results, _slower(results)])
    assert "0.5 to 1" in (tmp_path / "benchmarks.svg").read_text()
    text = readme.read_text()
    assert text.startswith("# Fast\n\n<!-- measured -->\n\n| | measured |\n|---|---|\n| CPU time a request")
    assert "JWT cache; of nginx, which verifies nothing | 0.5 to 1; - |\n" in text
    assert text.endswith(" |\n\n<!-- end -->\nMore.\n")
