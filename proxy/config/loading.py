"""The configuration, loaded by a process of its own for one that serves.

What reads and checks it, pydantic and YAML above all, is a fifth of the memory of a proxy that rests, and is needed
once. It ends with that process; and while a configuration is loaded again, requests do not wait for the interpreter.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from . import models
from .faults import ConfigurationError, Fault
from .models import Settings

_PATIENCE = 60.0  # s: a file on a network that hangs must not keep a drain
# What is pickled by one version means something else to another, which may have been installed meanwhile.
_BUILD = b"%d" % Path(models.__file__).stat().st_mtime_ns
Outcome = Settings | tuple[Fault, ...]


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
                f"the process that loads the configuration ended with {self._process.returncode}"
            )
        build, _, pickled = said.partition(b"\n")
        if build != _BUILD:
            raise RuntimeError("another version is installed by now: restart to load its configuration")
        outcome: Outcome = pickle.loads(pickled)  # noqa: S301 from our own child, see above
        if isinstance(outcome, Settings):
            return outcome
        raise ConfigurationError(outcome)


def load_apart(path: Path | None) -> Settings:
    """As ``Loading``, from beginning to end; blocks."""
    with Loading(path) as loading:
        return loading.wait()


def main() -> None:
    """``argv``: the file, where there is one. The outcome goes to stdout."""
    from .load import load_settings  # noqa: PLC0415 in this process alone

    try:
        outcome: Outcome = load_settings(Path(sys.argv[1]) if len(sys.argv) > 1 else None, os.environ)
    except ConfigurationError as error:
        outcome = error.faults
    with os.fdopen(os.dup(1), "wb") as pipe:
        pipe.write(_BUILD + b"\n" + pickle.dumps(outcome))


if __name__ == "__main__":
    main()
