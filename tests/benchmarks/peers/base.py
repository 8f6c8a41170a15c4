"""What most peers share: a program to find, a file to write, a command to run."""

from __future__ import annotations

from pathlib import Path

from .. import install, processes
from . import Surroundings


class CommandPeer:
    """A peer whose program is found by ``find`` and started with ``command``."""

    name: str
    verifies = "no"
    program: Path

    def find(self) -> Path:
        raise NotImplementedError

    def command(self, around: Surroundings, port: int) -> list[str | Path]:
        raise NotImplementedError

    def environment(self, around: Surroundings) -> dict[str, str]:
        return {}

    def available(self) -> str | None:
        try:
            self.program = self.find()
        except install.Missing as reason:
            return str(reason)
        return None

    def start(self, around: Surroundings, port: int) -> processes.Running:
        return processes.start(
            self.command(around, port),
            cores=around.cores,
            log=around.folder / "log",
            port=port,
            env=self.environment(around),
            cwd=around.folder,
        )


def write(path: Path, text: str) -> Path:
    """Writes a configuration file and returns where it is."""
    path.write_text(text)
    return path
