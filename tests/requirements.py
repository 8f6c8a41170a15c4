"""The requirements that ``requirements.md`` lists, and the tests that name them: ``python -m tests.requirements``."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "proxy"
_CODE = re.compile(r"\b((?:[ACDFHKOX]|H2)-[0-9]{2})\b")
_ROW = re.compile(r"^\| ((?:[A-Z]|H2)-[0-9]{2}) \| (\w+) \| (.+) \|$", re.MULTILINE)


class Requirement(NamedTuple):
    """One line of the table: ``weight`` is ``blocking``, ``needed`` or ``wished``."""

    code: str
    weight: str
    text: str


REQUIREMENTS = [Requirement(*row) for row in _ROW.findall((TESTS / "requirements.md").read_text())]


def find_tests() -> Mapping[str, list[str]]:
    """Test names by code, as ``folder/test_module.py::test_name``."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for test in _tests_in(ast.parse(path.read_text())):
            for one in _CODE.findall(ast.get_docstring(test) or ""):
                found[one].append(f"{path.relative_to(TESTS)}::{test.name}")
    return found


def find_mentions() -> Mapping[str, list[str]]:
    """Files by the codes that stand anywhere in them, of the program and of its tests."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted([*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")]):
        for one in set(_CODE.findall(path.read_text())):
            found[one].append(str(path.relative_to(TESTS.parent)))
    return found


def _tests_in(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def main() -> None:
    tests = find_tests()
    for code, weight, text in REQUIREMENTS:
        print(f"{code} ({weight}) {text}", *tests.get(code, []), sep="\n    ")


if __name__ == "__main__":
    main()
