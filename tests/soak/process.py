"""What another process takes of the machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")  # in a second


class Usage:
    """Of ``process`` since this was made: ``growth`` in MiB, ``share`` of one processor."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._resident = self.resident
        self._processor = processor_time(process)
        self._began = time.monotonic()

    @property
    def resident(self) -> int:
        """MiB."""
        return int(Path(f"/proc/{self._process}/statm").read_text().split()[1]) * PAGE >> 20

    @property
    def growth(self) -> int:
        return self.resident - self._resident

    @property
    def share(self) -> float:
        return (processor_time(self._process) - self._processor) / (time.monotonic() - self._began)

    def __str__(self) -> str:
        return f"{self._resident} MiB before, {self.resident} MiB after, {self.share:.0%} of a processor"


def processor_time(process: int) -> float:
    """Seconds (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
