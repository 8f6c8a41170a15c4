"""The files that ship, from the top of the source."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
MYPYC: dict[str, Any] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["mypyc"]
LOCKS = ("requirements.lock", "requirements-build.lock")
COMPOSE_FOLDER = ROOT / "config" / "compose"

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)")


class _ComposeLoader(yaml.SafeLoader):
    """Compose's own tags leave the value as it is."""


for _tag in ("!reset", "!override"):
    _ComposeLoader.add_constructor(
        _tag,
        lambda loader, node: (
            loader.construct_mapping(node, deep=True)
            if isinstance(node, yaml.MappingNode)
            else loader.construct_sequence(node)
        ),
    )


def read_compose(path: Path) -> dict[str, Any]:
    """A compose file, its anchors and merges resolved."""
    return yaml.load(path.read_text(), _ComposeLoader)


def read_pins(lock: str) -> dict[str, str]:
    """Version by name of what ``lock`` installs."""
    lines = (ROOT / lock).read_text().splitlines()
    return {found[1]: found[2] for line in lines if (found := _PIN.match(line))}
