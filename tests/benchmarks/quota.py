"""Holds processes to a part of a core each, by Linux's control groups (version 1 or 2).

On a machine of two cores two workers, the load and the upstream want more than there is: what would be measured is
who gets it. Held to a part of a core, each worker has all that it may use, however many there are.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

V1 = Path("/sys/fs/cgroup/cpu")
V2 = Path("/sys/fs/cgroup")
PERIOD = 10_000  # µs


@contextlib.contextmanager
def held(processes: Iterable[int], part: float) -> Iterator[None]:
    """Inside, each of ``processes`` (by id) has ``part`` of a core at most. OSError where we may not do that."""
    groups: list[Path] = []
    try:
        for process in processes:
            groups.append(_make_group(f"obo-proxy-benchmark-{os.getpid()}-{process}", part))
            (groups[-1] / "cgroup.procs").write_text(str(process))
        yield
    finally:
        for group in groups:
            _remove_group(group)


def _make_group(name: str, part: float) -> Path:
    quota = round(PERIOD * part)
    group = (V1 if V1.is_dir() else V2) / name
    group.mkdir()
    try:
        if group.parent == V1:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD}")
    except OSError:
        group.rmdir()
        raise
    return group


def _remove_group(group: Path) -> None:
    """Its processes go back to where all come from: a group that has any cannot be removed."""
    for process in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):
            (group.parent / "cgroup.procs").write_text(process)
    group.rmdir()
