"""Child processes: pinned to cores, measured from ``/proc``, and ended by pid with everything they started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


def split_cores() -> tuple[set[int], set[int]]:
    """One core for the proxy under test, the others for whatever loads it; the same one where there is just one."""
    cores = sorted(os.sched_getaffinity(0))
    return {cores[-1]}, set(cores[:-1]) or {cores[-1]}


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Running:
    """A started process and, where it serves, its loopback port."""

    process: subprocess.Popen
    port: int
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def tree(self) -> list[int]:
        """The process and all that descend from it."""
        found = [self.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    found += [int(child) for child in children.read_text().split()]
        return found

    def cpu_seconds(self) -> float:
        """User and system time spent so far by the whole tree."""
        return sum(self.cpu_seconds_by_process().values())

    def cpu_seconds_by_process(self) -> dict[int, float]:
        """Of the threads that live; to the nanosecond, for ``stat`` counts hundredths of a second."""
        spent = {}
        for pid in self.tree():
            with contextlib.suppress(OSError):
                threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
                spent[pid] = sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
        return spent

    def busiest(self, count: int) -> list[int]:
        """The ids of those processes of the tree that have spent most, ``count`` of them."""
        spent = self.cpu_seconds_by_process()
        return sorted(spent, key=spent.__getitem__, reverse=True)[:count]

    def memory(self) -> int:
        """Bytes in memory, shared pages split between those who share them (PSS)."""
        total = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total * 1024

    def resident(self) -> int:
        """Bytes in memory of the one process (RSS), whoever shares them: the same whatever else runs."""
        status = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) * 1024

    def stop(self) -> None:
        """Asks the process group to end, and makes it after three seconds."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(3)
        self.process.wait()


def start(
    command: Sequence[str | Path],
    *,
    cores: Iterable[int],
    log: Path,
    port: int = 0,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Running:
    """Starts ``command`` in a process group of its own on ``cores``; its output goes to ``log``.

    It is killed with us, whatever ends us (both wrappers are util-linux's, and become the command).
    """
    pinned = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "taskset",
        "-c",
        ",".join(map(str, sorted(cores))),
        *map(str, command),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | (env or {}),
            cwd=cwd,
            start_new_session=True,
        )
    return Running(process, port, log)


def wait_until(ready: Callable[[], bool], running: Running, seconds: float = 20.0) -> float:
    """Seconds until ``ready`` was true; raises with the end of the log where that never came."""
    began = time.monotonic()
    while time.monotonic() - began < seconds and running.process.poll() is None:
        if ready():
            return time.monotonic() - began
        time.sleep(0.01)
    tail = running.log.read_text(errors="replace")[-600:].strip()
    raise RuntimeError(f"did not get ready: {tail or 'no output'}")
