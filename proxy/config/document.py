"""YAML 1.1 to plain mappings, lists and scalars: safe tags only, no key twice, bounded.

Faults name the line and never quote the file: it may hold secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .faults import ConfigurationError, Fault

# A configuration of a thousand routes is a few hundred KiB; beyond is a mistake or an attack by aliases.
_MOST_BYTES = 4 * 1024 * 1024
_MOST_VALUES = 200_000
_TEXT_TAG = "tag:yaml.org,2002:str"
_MERGE_TAG = "tag:yaml.org,2002:merge"


class _Refused(Exception):
    """A node that is sound YAML but refused here."""

    def __init__(self, message: str, mark: yaml.Mark) -> None:
        super().__init__(message)
        self.mark = mark


def read_document(path: Path) -> dict[str, Any]:
    """The mapping in the YAML file ``path``. Raises ConfigurationError."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _refuse(str(path), f"cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise _refuse(str(path), f"larger than {_MOST_BYTES // 1024**2} MiB")
    return parse_document(content, str(path))


def parse_document(content: bytes, name: str) -> dict[str, Any]:
    """The mapping in ``content``, called ``name`` in faults. Raises ConfigurationError."""
    try:
        document = _load(content)
    except _Refused as error:
        raise _refuse(f"{name}:{error.mark.line + 1}", str(error)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise _refuse(place, f"not YAML: {_without_names(error.problem)}") from None
    except (yaml.YAMLError, ValueError):
        raise _refuse(name, "not YAML in UTF-8") from None
    except RecursionError:
        raise _refuse(name, "nested too deeply") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _refuse(name, "not a mapping of keys to values")
    return document


def _load(content: bytes) -> Any:
    loader = yaml.SafeLoader(content)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _measure(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many values ``node`` is once its aliases are written out; refuses what must not be constructed."""
    if id(node) in sizes:
        if not sizes[id(node)]:
            raise _Refused("an alias inside what it stands for", node.start_mark)
        return sizes[id(node)]
    sizes[id(node)] = 0
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
    size = 1 + sum(_measure(child, sizes) for child in _children(node))
    if size > _MOST_VALUES:
        raise _Refused(f"more than {_MOST_VALUES} values once aliases are written out", node.start_mark)
    sizes[id(node)] = size
    return size


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield from (value for _, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag not in (_TEXT_TAG, _MERGE_TAG):
            raise _Refused("a key that is not text: put it in quotes", key.start_mark)
        if key.value in seen:
            raise _Refused(f"the key {key.value!r} stands here twice", key.start_mark)
        seen.add(key.value)


def _without_names(problem: str | None) -> str:
    # PyYAML quotes tags, aliases and anchors, and an unquoted secret may look like one.
    return re.sub(r"\b(tag|alias|anchor|handle)\b.*", r"\1", problem or "unreadable")


def _refuse(place: str, message: str) -> ConfigurationError:
    return ConfigurationError((Fault(place, message),))
