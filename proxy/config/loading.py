"""The configuration, loaded by a process of its own for one that serves.

What reads and checks it, pydantic and YAML above all, is a fifth of the memory of a proxy that rests, and is needed
once. It ends with that process; and while a configuration is loaded again, requests do not wait for the interpreter.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from . import models
from .faults import ConfigurationError, Fault
from .models import Settings
from .pickled import read_pickled, write_pickled

_PATIENCE = 60.0  # s: a file on a network that hangs must not keep a drain
# What is pickled by one version means something else to another, which may have been installed meanwhile.
_BUILD = b"%d" % Path(models.__file__).stat().st_mtime_ns
Outcome = Settings | tuple[Fault, ...] | str  # a text says where a mistake of ours is


class Loading:
    """``load_settings`` of ``path`` and our own environment, begun at once; leaving the context ends it."""

    def __init__(self, path: Path | None) -> None:
        # Pickled, secrets and all: nobody but the two processes has an end of the pipe.
        self._process = subprocess.Popen(  # noqa: S603 ourselves
            # -P: the working directory is nowhere to import from
            [sys.executable, "-P", "-m", __name__, *([] if path is None else [str(path)])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a terminal's signals are for us
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.__exit__(kind, error, trace)

    def wait(self) -> Settings:
        """The settings. Raises ConfigurationError with every fault, and RuntimeError where it fails otherwise."""
        try:
            said, _ = self._process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"the configuration was not loaded within {_PATIENCE:.0f} s") from None
        if self._process.returncode != 0:
            raise RuntimeError(
                f"the process that loads the configuration {_describe_end(self._process.returncode)}"
            )
        return _read(said)


def load_apart(path: Path | None) -> Settings:
    """As ``Loading``, from beginning to end; blocks."""
    with Loading(path) as loading:
        return loading.wait()


def _read(said: bytes) -> Settings:
    build, _, pickled = said.partition(b"\n")
    if build != _BUILD and build.isdigit():
        raise RuntimeError("another version is installed by now: restart to load its configuration")
    try:
        outcome = read_pickled(pickled if build == _BUILD else b"")
    except ValueError:
        outcome = None
    if isinstance(outcome, Settings):
        return outcome
    if isinstance(outcome, tuple):
        raise ConfigurationError(outcome)
    reason = outcome if isinstance(outcome, str) else "the process that loads it sends something else"
    raise RuntimeError(f"the configuration cannot be loaded: {reason}")


def _describe_end(status: int) -> str:
    """As ``Popen.returncode`` has it."""
    if status >= 0:
        return f"ended with {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def main() -> None:
    """``argv``: the file, where there is one. The outcome goes to stdout, and nothing else."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(BrokenPipeError), pipe:  # whoever began us has gone
        pipe.write(_BUILD + b"\n" + _load())


def _load() -> bytes:
    """The outcome, pickled. Of what nobody foresaw only the kind and the place are told: its words may hold secrets."""
    outcome: Outcome
    try:
        from .load import load_settings  # noqa: PLC0415 in this process alone

        try:
            outcome = load_settings(Path(sys.argv[1]) if len(sys.argv) > 1 else None, os.environ)
        except ConfigurationError as error:
            outcome = error.faults
        return write_pickled(outcome)
    except Exception as error:  # noqa: BLE001
        return write_pickled(_describe_mistake(error))


def _describe_mistake(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"


if __name__ == "__main__":
    main()
