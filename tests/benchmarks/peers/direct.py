"""No proxy at all: what the upstream and the load generator do by themselves."""

from __future__ import annotations

from pathlib import Path

from ..processes import Running
from . import Surroundings


class _Nothing(Running):
    """Stands for a process that was not started."""

    def tree(self) -> list[int]:
        return []

    def stop(self) -> None:
        """Nothing to end."""


class Direct:
    name = "direct"
    verifies = "no"

    def available(self) -> None:
        return None

    def start(self, around: Surroundings, port: int) -> Running:
        return _Nothing(process=None, port=around.upstream_port, log=Path("/dev/null"))
