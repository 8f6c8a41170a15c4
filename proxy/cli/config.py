"""``obo-proxy config``: what is configured, what may be, and whether it is sound."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING

from . import add_config_option

if TYPE_CHECKING:
    from ..config.models import Settings


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``config show``, ``config schema`` and ``config validate``."""
    parser = subparsers.add_parser("config", help="show or validate the configuration, print its JSON Schema")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, run, about in (
        ("show", run_show, "the effective configuration, secrets hidden, as YAML"),
        ("schema", run_schema, "the JSON Schema of the configuration file"),
        ("validate", run_validate, "every fault of the configuration, if there is one"),
    ):
        action = actions.add_parser(name, help=about, description=about)
        add_config_option(action)
        action.set_defaults(run=run)


def run_show(args: argparse.Namespace) -> int:
    """Print the effective configuration without its secrets."""
    import yaml

    from ..config.show import build_shown

    print(yaml.safe_dump(build_shown(_load(args)), sort_keys=False, allow_unicode=True), end="")
    return 0


def run_schema(_args: argparse.Namespace) -> int:
    """Print the JSON Schema, which needs no configuration."""
    from ..config.show import build_schema

    print(json.dumps(build_schema(), indent=2))
    return 0


def run_validate(args: argparse.Namespace) -> int:
    """Load the configuration; its faults are for ``main`` to print."""
    settings = _load(args)
    print(f"The configuration is sound: {len(settings.routes)} route(s).")
    return 0


def _load(args: argparse.Namespace) -> Settings:
    from ..config.load import load_settings

    return load_settings(args.config, os.environ)
