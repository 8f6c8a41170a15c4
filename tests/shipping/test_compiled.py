"""What the compiled wheel is made of: the rules that mypyc has for classes, and would tell of at run time alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from .files import MYPYC, ROOT

COMPILED = {name.lstrip("/") for name in MYPYC["include"]}
TREES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text())
    for room in ("proxy", "tests")
    for path in sorted(ROOT.glob(f"{room}/**/*.py"))
}


def classes(name: str) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(TREES[name]) if isinstance(node, ast.ClassDef))


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


NATIVE = {
    (name, node.name): node
    for name in sorted(COMPILED & set(TREES))
    for node in classes(name)
    if is_native(node)
}


def test_all_that_is_named_is_there() -> None:
    assert sorted(COMPILED - set(TREES)) == []


@pytest.mark.parametrize("name", sorted(set(TREES) - COMPILED))
def test_what_is_compiled_has_no_heirs_that_are_not(name: str) -> None:
    """Making an object of one would raise TypeError, in a test as well."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        for path, native in NATIVE
        if native == alias.name and f"/{path}".endswith(f"/{node.module.replace('.', '/')}.py")
    }
    assert [node.name for node in classes(name) if imported & set(describe(node))] == []


@pytest.mark.parametrize("native", NATIVE, ids="::".join)
def test_what_all_objects_begin_with_is_written_out(native: tuple[str, str]) -> None:
    """A default that is a name would not be there; a data class that is made anew, for its slots, is none."""
    node = NATIVE[native]
    values = [each.value for each in node.body if isinstance(each, ast.Assign | ast.AnnAssign)]
    named = [ast.unparse(value) for value in values if isinstance(value, ast.Name | ast.Attribute)]
    data_class = [one for one in describe(node) if one.startswith("dataclass")]
    assert named == [] or data_class
    assert not [one for one in data_class if "slots=True" in one]


@pytest.mark.parametrize("name", sorted(COMPILED))
def test_nothing_waits_while_an_error_is_handled(name: str) -> None:
    """The error would be that of whoever runs meanwhile, and could stay that of the whole thread."""
    handlers = [
        statement
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Try)
        for statement in (*node.handlers, *node.finalbody)
    ]
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)
    assert [each.lineno for one in handlers for each in ast.walk(one) if isinstance(each, waits)] == []
