"""What a process takes, and its interpreter, by the names that Prometheus' clients have for it."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .families import Family, build_counter, build_gauge

_PROC = Path("/proc")


def collect_process() -> Iterator[Family]:
    """``process_…``; nothing where the system has no ``/proc``."""
    try:
        stat = (
            (_PROC / "self/stat").read_bytes().rpartition(b")")[2].split()
        )  # proc_pid_stat(5), from the third on
        limits = (_PROC / "self/limits").read_text()
        descriptors = len(os.listdir(_PROC / "self/fd"))  # noqa: PTH208 names alone
        booted = _find_boot_time()
    except OSError:
        return
    tick = os.sysconf("SC_CLK_TCK")
    began = booted + int(stat[19]) / tick
    seconds = (int(stat[11]) + int(stat[12])) / tick
    most = next(line.split()[3] for line in limits.splitlines() if line.startswith("Max open files"))
    for name, text, value in (
        ("virtual_memory_bytes", "Virtual memory size in bytes.", int(stat[20])),
        (
            "resident_memory_bytes",
            "Resident memory size in bytes.",
            int(stat[21]) * os.sysconf("SC_PAGE_SIZE"),
        ),
        ("start_time_seconds", "Start time of the process since unix epoch in seconds.", began),
        ("open_fds", "Number of open file descriptors.", descriptors),
        ("max_fds", "Maximum number of open file descriptors.", float(most.replace("unlimited", "inf"))),
    ):
        yield build_gauge(f"process_{name}", text, (), [((), value)])
    yield build_counter(
        "process_cpu_seconds", "Total user and system CPU time spent in seconds.", (), [((), seconds)]
    )


def collect_python() -> Iterator[Family]:
    """``python_…``: the interpreter's version and its garbage collector."""
    major, minor, patch = map(str, sys.version_info[:3])
    version = sys.version.partition(" ")[0]
    labels = ("version", "implementation", "major", "minor", "patchlevel")
    values = (version, "CPython" if sys.implementation.name == "cpython" else sys.implementation.name)
    yield build_gauge(
        "python_info", "Python platform information", labels, [((*values, major, minor, patch), 1)]
    )
    for name, text, key in (
        ("python_gc_objects_collected", "Objects collected during gc", "collected"),
        ("python_gc_objects_uncollectable", "Uncollectable objects found during GC", "uncollectable"),
        ("python_gc_collections", "Number of times this generation was collected", "collections"),
    ):
        counts = [((generation,), stats[key]) for generation, stats in enumerate(gc.get_stats())]
        yield build_counter(name, text, ("generation",), counts)


@cache
def _find_boot_time() -> float:
    """Epoch seconds."""
    lines = (_PROC / "stat").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("btime ")))
