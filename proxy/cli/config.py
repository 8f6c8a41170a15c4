"""``obo-proxy config``: what is configured, what may be, and whether it is sound."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import add_config_option

if TYPE_CHECKING:
    from ..config.models import Settings

_TIMEOUT = 5.0  # s; the admin side is near


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
    show = actions.choices["show"]
    show.add_argument(
        "--url", help="that of the running proxy whose admin side is there: http://127.0.0.1:9090"
    )
    show.add_argument(
        "--admin-token-file", type=Path, metavar="FILE", help="the token that admin side asks for"
    )


def run_show(args: argparse.Namespace) -> int:
    """Print the effective configuration without its secrets; 1 where the running proxy does not tell its own."""
    import httpx

    from ..config.show import build_shown

    if args.url is None:
        _print(build_shown(_load(args)))
        return 0
    try:
        _print(_ask(args.url, args.admin_token_file))
    except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        print(f"obo-proxy: no configuration from the admin side: {error}", file=sys.stderr)
        return 1
    return 0


def run_schema(_args: argparse.Namespace) -> int:
    """Print the JSON Schema, which needs no configuration."""
    from ..config.schema import build_schema

    print(json.dumps(build_schema(), indent=2))
    return 0


def run_validate(args: argparse.Namespace) -> int:
    """Load the configuration; its faults are for ``main`` to print. Cautions go to stderr and cost nothing."""
    from ..config.cautions import find_cautions

    settings = _load(args)
    for caution in find_cautions(settings):
        print(f"obo-proxy: mind {caution}", file=sys.stderr)
    print(f"The configuration is sound: {len(settings.routes)} route(s).")
    return 0


def _load(args: argparse.Namespace) -> Settings:
    from ..config.load import load_settings

    return load_settings(args.config, os.environ)


def _ask(url: str, token_file: Path | None) -> dict[str, Any]:
    """What the proxy with its admin side at ``url`` runs with. Raises OSError, ValueError or an error of httpx."""
    import httpx

    headers = {} if token_file is None else {"Authorization": f"Bearer {_read_token(token_file)}"}
    answer = httpx.get(f"{url.rstrip('/')}/api/config", headers=headers, timeout=_TIMEOUT, trust_env=False)
    if answer.status_code != httpx.codes.OK:
        raise ValueError(f"it answers {answer.status_code}")
    shown: dict[str, Any] = answer.json()
    return shown


def _read_token(path: Path) -> str:
    token = path.read_text("ascii").strip()
    if not token.isprintable():
        raise ValueError(f"{path} holds more than a token")
    return token


def _print(shown: dict[str, Any]) -> None:
    import yaml

    print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), end="")
