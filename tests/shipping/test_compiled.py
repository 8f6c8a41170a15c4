"""What the compiled wheel is made of: the rules that mypyc has for classes, and would tell of at run time alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from .files import MYPYC, ROOT

COMPILED = sorted(name.lstrip("/") for name in MYPYC["include"])
OTHERS = sorted(
    {str(path.relative_to(ROOT)) for room in ("proxy", "tests") for path in ROOT.glob(f"{room}/**/*.py")}
    - set(COMPILED)
)


@cache
def parse(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text())


def classes(name: str) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(parse(name)) if isinstance(node, ast.ClassDef))


def describe(node: ast.ClassDef) -> list[str]:
    return [ast.unparse(each) for each in (*node.decorator_list, *node.bases)]


def is_native(node: ast.ClassDef) -> bool:
    """Neither a class of another kind, nor one that says that it is not, or that its heirs need not be."""
    others = {
        "mypyc_attr(native_class=False)",
        "mypyc_attr(allow_interpreted_subclasses=True)",
        "Enum",
        "NamedTuple",
        "Protocol",
    }
    return not others & set(describe(node))


def natives() -> Iterator[tuple[str, ast.ClassDef]]:
    """The compiled classes, each with the file that it is in."""
    return ((name, node) for name in COMPILED for node in classes(name) if is_native(node))


def test_all_that_is_named_is_there() -> None:
    assert [name for name in COMPILED if not (ROOT / name).is_file()] == []


def test_what_is_compiled_has_no_heirs_that_are_not() -> None:
    """Making an object of one would raise TypeError, in a test as well."""
    paths = [(node.name, f"/{name}") for name, node in natives()]
    mentioned = re.compile(rf"\b({'|'.join({name for name, _ in paths})})\b").search
    heirs = [
        f"{name}:{node.lineno}"
        for name in OTHERS
        if mentioned((ROOT / name).read_text()) and (bases := imported(name, paths))
        for node in classes(name)
        if bases & set(describe(node))
    ]
    assert heirs == []


def imported(name: str, paths: list[tuple[str, str]]) -> set[str]:
    """What a file calls the compiled classes that it imports."""
    return {
        alias.asname or alias.name
        for node in ast.walk(parse(name))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        for native, path in paths
        if native == alias.name and path.endswith(f"/{node.module.replace('.', '/')}.py")
    }


def test_what_all_objects_begin_with_is_written_out() -> None:
    """A default that is a name would not be there; a data class that is made anew, for its slots, is none."""
    for name, node in natives():
        values = [each.value for each in node.body if isinstance(each, ast.Assign | ast.AnnAssign)]
        named = [ast.unparse(value) for value in values if isinstance(value, ast.Name | ast.Attribute)]
        data_class = [one for one in describe(node) if one.startswith("dataclass")]
        assert named == [] or data_class, f"{name}: {node.name}"
        assert not [one for one in data_class if "slots=True" in one], f"{name}: {node.name}"


@pytest.mark.parametrize("name", COMPILED)
def test_nothing_waits_while_an_error_is_handled(name: str) -> None:
    """The error would be that of whoever runs meanwhile, and could stay that of the whole thread."""
    handlers = [
        statement
        for node in ast.walk(parse(name))
        if isinstance(node, ast.Try)
        for statement in (*node.handlers, *node.finalbody)
    ]
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)
    assert [each.lineno for one in handlers for each in ast.walk(one) if isinstance(each, waits)] == []
