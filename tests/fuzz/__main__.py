"""``python -m tests.fuzz [TARGET …] [--seconds N]``: coverage-guided fuzzing with atheris (``pip install atheris``).

Each target runs in a process of its own for that long; 1 is the exit code where one has a finding, whose input is
left in ``build/fuzz/TARGET``, and with which it can be run again: ``--replay FILE``.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

from .targets import TARGETS

MAX_BYTES = 4096


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=600, help="for each target (600)")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--replay", type=Path, help="one input, to the one target named")
    parser.add_argument("--within", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = arguments.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no target {', '.join(unknown)}")
    if arguments.replay:
        TARGETS[names[0]].check(arguments.replay.read_bytes())
    elif arguments.within:
        fuzz(names[0], arguments.out / names[0], arguments.seconds)
    else:
        sys.exit(max(start(name, arguments) for name in names))


def start(name: str, arguments: argparse.Namespace) -> int:
    """1 where the target has a finding, else 0."""
    print(f"== {name}: {arguments.seconds} s", flush=True)
    command = [sys.executable, "-m", "tests.fuzz", name, "--within"]
    command += ["--seconds", str(arguments.seconds), "--out", str(arguments.out)]
    return min(1, subprocess.run(command, check=False).returncode)


def fuzz(name: str, folder: Path, seconds: int) -> None:
    """Ends the process."""
    import atheris  # noqa: PLC0415 not wanted for the suite

    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in TARGETS[name].seeds:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    atheris.instrument_all()
    options = [f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", f"-artifact_prefix={folder}/"]
    atheris.Setup([name, *options, "-timeout=10", "-print_final_stats=1", str(corpus)], TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
