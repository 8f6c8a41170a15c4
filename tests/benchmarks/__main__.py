"""``python -m tests.benchmarks [--quick] [--out DIR] [--only …] [--peers …] [--beside NAME PROGRAM]`` (Linux).

Measured is the proxy of the Python that runs this. ``--merge FILE…`` measures nothing: of the results of several runs,
by any number of Pythons or of some works each, it writes one table and one picture.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

from .growth import GROWTH
from .peers import Peer, all_peers
from .peers.ours import Ours
from .plot import draw
from .results import OURS, Results, Sample
from .stage import Stage, build_stage
from .summary import write_summary
from .table import build_table
from .works import FULL, QUICK, WORKS, Scale, Work

QUICK_PEERS = {OURS, "direct", "Envoy", "Envoy, no JWT cache", "nginx", "Caddy", "starlette + httpx"}
QUICK_WORKS = {
    "hit",
    "single",
    "paced",
    "download",
    "upload",
    "misses",
    "routes",
    "idle",
    "tls",
    "websocket",
}
# Seconds of measuring after which nothing more is begun. A minute and a half is promised, and nine minutes for what
# ``--only`` chooses: the starting of the processes, the last work and their ending take their part.
BUDGET = {True: 75, False: 480}
FAULTS = (OSError, RuntimeError, ValueError, KeyError, subprocess.SubprocessError)


def main() -> None:
    arguments = _parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.merge:
        runs = [Results.read(file) for file in arguments.merge]
    else:
        runs = [_run(arguments)]
        (arguments.out / "benchmarks.json").write_text(runs[0].to_json())
    table = build_table(runs)
    (arguments.out / "benchmarks.md").write_text(table)
    draw(runs, arguments.out / "benchmarks.svg")
    if arguments.readme:
        write_summary(runs, arguments.readme)
    print(table)


def _run(arguments: argparse.Namespace) -> Results:
    scale = QUICK if arguments.quick else FULL
    memory = Path("/dev/shm")
    results = Results(_describe_machine(), arguments.label)
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="obo-bench-") as folder,
        build_stage(Path(folder)) as stage,
    ):
        for peer in _chosen_peers(arguments):
            print(f"starting {peer.name}", flush=True)
            stage.admit(peer)
        results.missing = stage.missing
        results.verifies = {peer.name: peer.verifies for peer in stage.peers}
        _measure_start(stage, results)
        _measure(stage, results, scale, _chosen_works(arguments), time.monotonic() + BUDGET[arguments.quick])
    return results


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--merge", nargs="+", type=Path, metavar="FILE", help="benchmarks.json of several runs"
    )
    parser.add_argument(
        "--readme", type=Path, metavar="FILE", help="put the short table into this one as well"
    )
    version = f"{platform.python_version()} ({platform.python_compiler()})"
    parser.add_argument(
        "--label", default=version, help="this Python's name in the table, such as who built it"
    )
    parser.add_argument("--quick", action="store_true", help="a minute and a half: fewer peers, shorter runs")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"), help="where the results go")
    names = [work.name for work in WORKS] + list(GROWTH)
    parser.add_argument("--only", nargs="+", metavar="WORK", choices=names, help=", ".join(names))
    parser.add_argument("--peers", nargs="+", metavar="NAME", help="parts of names, in any case")
    parser.add_argument(
        "--beside",
        nargs=2,
        metavar=("NAME", "PROGRAM"),
        help='obo-proxy of another version or build, as one more peer; the README has a row for "not compiled"',
    )
    return parser.parse_args()


def _chosen_peers(arguments: argparse.Namespace) -> list[Peer]:
    beside = []
    if arguments.beside:
        name, program = arguments.beside
        beside.append(Ours(beside=(name, Path(program).absolute())))
    if arguments.peers:
        wanted = [part.lower() for part in arguments.peers]
        return [peer for peer in all_peers() if any(part in peer.name.lower() for part in wanted)] + beside
    return [peer for peer in all_peers() if not arguments.quick or peer.name in QUICK_PEERS] + beside


def _chosen_works(arguments: argparse.Namespace) -> set[str]:
    everything = {work.name for work in WORKS} | set(GROWTH)
    return set(arguments.only or (QUICK_WORKS if arguments.quick else everything))


def _measure_start(stage: Stage, results: Results) -> None:
    for name, seconds in stage.start_seconds.items():
        if name == OURS:
            running = stage.running[name]
            figures = {"ready": seconds, "memory": running.memory(), "resident": running.resident()}
            results.samples.append(Sample("start", name, figures))


def _measure(stage: Stage, results: Results, scale: Scale, chosen: set[str], deadline: float) -> None:
    for work in WORKS:
        if work.name in chosen:
            print(f"measuring {work.name}", flush=True)
            _measure_work(stage, results, scale, work, deadline)
    for name in GROWTH:
        if name in chosen and OURS in stage.running:
            print(f"measuring {name}", flush=True)
            _measure_growth(stage, results, scale, name, deadline)


def _measure_work(stage: Stage, results: Results, scale: Scale, work: Work, deadline: float) -> None:
    """Round after round over all peers, so that what else the machine does meets all alike."""
    broken = set()
    for _ in range(max(1, scale.repetitions - work.fewer)):
        for name in stage.running:
            if name in broken or (work.peers is not None and name not in work.peers):
                continue
            try:
                if time.monotonic() > deadline:
                    raise OSError("out of time")
                figures = work.measure(stage, stage.find(name, work.secured), scale, results)
                results.samples.append(Sample(work.name, name, figures))
            except FAULTS as error:
                broken.add(name)
                results.samples.append(Sample(work.name, name, fault=f"{type(error).__name__}: {error}"))


def _measure_growth(stage: Stage, results: Results, scale: Scale, name: str, deadline: float) -> None:
    try:
        if time.monotonic() > deadline:
            raise OSError("out of time")
        results.samples.extend(GROWTH[name](stage, scale))
    except FAULTS as error:
        results.samples.append(Sample(name, OURS, fault=f"{type(error).__name__}: {error}"))


def _describe_machine() -> str:
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    cpu = model[0].partition(":")[2].strip() if model else platform.machine()
    return (
        f"{len(os.sched_getaffinity(0))} cores of {cpu}, {platform.system()} {platform.release()}. "
        "Each proxy on one core, the load and the upstream on the others; medians of interleaved rounds. "
        "CPU is the proxy's own for one request."
    )


if __name__ == "__main__":
    main()
