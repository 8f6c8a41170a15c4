"""The command line: one module for each command, found by its ``add_parser``.

Results go to stdout, all else to stderr. What a command needs is imported when it runs, so that the others
start without it.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ..config.faults import ConfigurationError

BAD_CONFIGURATION = 2
INTERRUPTED = 130  # as shells count SIGINT
CUT_OFF = 141  # as they count SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that ``arguments`` name; the exit status."""
    if arguments is None:
        arguments = sys.argv[1:]
    args = build_parser(arguments).parse_args(arguments)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return BAD_CONFIGURATION
    except BrokenPipeError:  # whoever read our results has seen enough, as ``head`` does
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 for the interpreter's last flush
        return CUT_OFF
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def build_parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser with the command that ``arguments`` begin with, or else with every command of this package."""
    parser = argparse.ArgumentParser(
        prog="obo-proxy",
        description="On-behalf-of forwarding reverse proxy: verifies the user's token, exchanges it (RFC 8693),"
        " and streams the request on with the new one.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    commands = [module.name for module in pkgutil.iter_modules(__path__)]
    for command in set(commands).intersection(arguments[:1]) or commands:
        import_module(f"{__name__}.{command}").add_parser(subparsers)
    return parser


class _Version(argparse.Action):
    """Looks it up when asked: what reads a package's metadata would stay in the memory of one that serves."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"obo-proxy {version('obo-proxy')}")
        parser.exit()


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """The option that says where the configuration is."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the configuration; else the file that OBO_CONFIG names, else the OBO_* variables",
    )
