"""The house as its imports draw it: rooms, floors, arrows, circles. ``python -m tests.architecture`` prints them.

A room is a module or folder directly under ``proxy/``. An arrow is one room that imports another; a room's floor
is the longest way down from it. A circle is a set of modules, in one folder or across, that all reach each other.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "proxy"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "_version.py")

Graph = Mapping[str, frozenset[str]]


def name_of(path: Path) -> str:
    """A module's dotted name below ``proxy``: ``cache.key``, ``upstream`` for a folder's own; empty for ``proxy``."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


MODULES = {name_of(path): path for path in FILES}


def room_of(module: str) -> str:
    return module.partition(".")[0]


def find_test_file(module: str) -> Path:
    """Where a module's tests stand: ``cache/test_key.py``; ``admin/test_admin.py`` for a folder's own."""
    path = MODULES[module].relative_to(PACKAGE)
    name = path.parent.name if path.stem == "__init__" else path.stem
    return TESTS / path.parent / f"test_{name}.py"


def does_something(module: str) -> bool:
    """Whether there is a function in it with more than a docstring, so anything to be tested."""
    tree = ast.parse(MODULES[module].read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(not _says_nothing(line) for function in functions for line in function.body)


def _says_nothing(line: ast.stmt) -> bool:
    """A docstring or ``...``."""
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


@cache
def imports(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """``(ours, foreign)``: modules of ``proxy`` by their names below it, others by their full names.

    What is imported for the type checker alone counts as well: whoever reads a module has to know it.
    """
    path = MODULES[module]
    folder = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    ours, foreign = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            foreign |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            foreign.add(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] + (node.module.split(".") if node.module else [])
            for one in node.names:
                within = ".".join([*base, one.name])
                ours.add(within if within in MODULES else ".".join(base))
    return frozenset(ours - {module}), frozenset(foreign)


def modules_graph() -> Graph:
    return {module: imports(module)[0] for module in MODULES}


def rooms_graph() -> Graph:
    rooms: dict[str, set[str]] = {}
    for module, ours in modules_graph().items():
        rooms.setdefault(room_of(module), set()).update(room_of(one) for one in ours)
    return {room: frozenset(below - {room, ""}) for room, below in rooms.items() if room}


def circles(graph: Graph) -> list[list[str]]:
    """Tarjan's strongly connected components of more than one module."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for below in graph[node]:
            if below not in index:
                visit(below)
                low[node] = min(low[node], low[below])
            elif below in stack:
                low[node] = min(low[node], index[below])
        if low[node] == index[node]:
            group = [stack.pop()]
            while group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return sorted(found)


def floors(graph: Graph) -> dict[str, int]:
    """Each room's floor; the graph must have no circle."""

    @cache
    def floor(room: str) -> int:
        return 1 + max((floor(below) for below in graph[room]), default=-1)

    return {room: floor(room) for room in graph}


def main() -> None:
    rooms, knots = rooms_graph(), circles(modules_graph())
    lines = sum(len(path.read_text().splitlines()) for path in FILES)
    print(f"{len(rooms)} rooms, {len(FILES)} files, {lines} lines, {sum(map(len, rooms.values()))} arrows")
    for knot in [*circles(rooms), *knots]:
        print("circle:", ", ".join(knot))
    if not circles(rooms):
        for room, floor in sorted(floors(rooms).items(), key=lambda each: each[::-1]):
            print(f"{floor:3} {room:15} {' '.join(sorted(rooms[room]))}")


if __name__ == "__main__":
    main()
