"""``obo-proxy check``: the doctor."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import add_config_option

if TYPE_CHECKING:
    from ..config.faults import ConfigurationError
    from ..config.models import Settings
    from ..diagnosis.report import Report

_LONGEST_TOKEN = 64 * 1024  # bytes; what is longer is another file


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``check``."""
    parser = subparsers.add_parser(
        "check",
        help="try every step of the flow, and say what is wrong and how to mend it",
        description="Tries the configuration, the authorization servers' metadata, keys and clocks, our client there,"
        " and the upstreams; with a user's token also the exchange, whose result is shown decoded. Without one, a token"
        " of the client's own is asked for and dropped, to see whether the scopes are known. Exits with 0 when nothing"
        " failed, 1 when something did, 2 for a bad configuration.",
    )
    add_config_option(parser)
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="a user's token as a caller would present it; - is stdin",
    )
    parser.add_argument("--route", metavar="NAME", help="only this route and what it needs")
    parser.add_argument("--json", action="store_true", help="the report as JSON, for scripts")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Examine; 1 if something failed."""
    from ..config.faults import ConfigurationError

    try:
        report = _examine(args)
    except ConfigurationError as error:
        if args.json:
            _print_json(_build_unsound(error))
        raise
    if args.json:
        _print_json(report)
    else:
        _print_text(report)
    return 0 if report.ok else 1


def _examine(args: argparse.Namespace) -> Report:
    from ..config.load import load_settings
    from ..diagnosis.doctor import examine_all
    from ..runtime import SystemClock

    settings = load_settings(args.config, os.environ)
    _require_route(args.route, settings)
    token = None if args.token_file is None else _read_token(args.token_file)
    return asyncio.run(examine_all(settings, SystemClock(), route=args.route, token=token))


def _require_route(name: str | None, settings: Settings) -> None:
    from ..config.faults import ConfigurationError, Fault

    names = [route.name for route in settings.routes]
    if name is not None and name not in names:
        raise ConfigurationError((Fault("--route", f"there are only {', '.join(names)} (got {name!r})"),))


def _read_token(path: Path) -> str:
    """The token alone: what the file holds, without white space around it."""
    from ..config.faults import ConfigurationError, Fault

    try:
        if path == Path("-"):
            content = sys.stdin.buffer.read(_LONGEST_TOKEN + 1)
        else:
            with path.open("rb") as file:
                content = file.read(_LONGEST_TOKEN + 1)
    except OSError as error:
        raise ConfigurationError((Fault("--token-file", f"{path}: {error.strerror}"),)) from error
    if len(content) > _LONGEST_TOKEN:
        raise ConfigurationError((Fault("--token-file", f"{path} is longer than any token"),))
    return content.decode("ascii", "replace").strip()


def _build_unsound(error: ConfigurationError) -> Report:
    """A report of the faults alone, so that scripts read one shape."""
    from ..diagnosis.finding import Finding
    from ..diagnosis.report import Report, Section

    faults = [Finding("configuration", fault.place, "fail", fault.message) for fault in error.faults]
    return Report((Section("Configuration", tuple(faults)),))


def _print_json(report: Report) -> None:
    print(json.dumps(report.as_document(), indent=2))


def _print_text(report: Report) -> None:
    from rich.console import Console

    from ..diagnosis.terminal import render_report

    # https://no-color.org; a file or a pipe gets plain text by itself.
    console = Console(color_system=None if os.environ.get("NO_COLOR") else "auto", highlight=False)
    print(render_report(report, console))
