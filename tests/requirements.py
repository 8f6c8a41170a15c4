"""Which tests show which requirement of the design, by the ids that stand in the tests' docstrings."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

TESTS = Path(__file__).parent
_ID = re.compile(r"\b([ACDFHKOX]-[0-9]{2})\b")


def find_tests() -> Mapping[str, list[str]]:
    """Test names by requirement id, as ``folder/test_module.py::test_name``."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for test in _tests_in(ast.parse(path.read_text())):
            for one in _ID.findall(ast.get_docstring(test) or ""):
                found[one].append(f"{path.relative_to(TESTS)}::{test.name}")
    return found


def _tests_in(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


if __name__ == "__main__":
    for requirement, tests in sorted(find_tests().items()):
        print(requirement, *tests, sep="\n    ")
