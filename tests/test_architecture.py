"""The house rules that a reader may rely on: rooms in order, no circles, pure modules stay pure."""

from __future__ import annotations

import ast

import pytest

from .architecture import MODULES, circles, imports, modules_graph, room_of, rooms_graph

# In the order of a request: each room depends only on those before it.
ROOMS = [
    "errors", "runtime", "jose", "http", "config", "websockets",
    "authentication", "downstream", "upstream", "exchange", "cache", "gateway",
    "observability", "parts", "wiring", "app",
    "diagnosis", "admin", "server", "demo", "cli",
]  # fmt: skip
TALKERS = {"asyncio", "httpx", "httptools", "socket", "ssl", "starlette", "uvicorn"}
READERS = {"open", "read_bytes", "read_text"}
PURE = [
    module
    for module in MODULES
    if room_of(module) in {"errors", "jose", "http"}
    or module in {
        "authentication.claims", "authentication.introspection", "authentication.logout_token",
        "authentication.subject_token", "cache.key", "exchange.answer", "exchange.authorization_code",
        "exchange.circuit_breaker", "exchange.dpop", "exchange.metadata", "exchange.oauth_errors",
        "exchange.okta_refusals", "exchange.rate_limit", "exchange.record", "exchange.token_exchange",
    }
]  # fmt: skip


def test_every_room_has_its_place():
    """A new room is put into the order on purpose."""
    assert set(rooms_graph()) == set(ROOMS)


@pytest.mark.parametrize("module", [module for module in MODULES if module])
def test_imports_point_one_way(module):
    """A room knows those before it, never those after; inside the package imports are relative."""
    ours, foreign = imports(module)
    known = ROOMS[: ROOMS.index(room_of(module)) + 1]
    assert [one for one in ours if one and room_of(one) not in known] == []
    assert "proxy" not in {name.split(".")[0] for name in foreign}


def test_there_are_no_circles():
    """Neither between modules of different rooms nor inside a room."""
    assert circles(modules_graph()) == []


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_do_no_io(module):
    """What only decides neither talks nor reads files."""
    assert {name.split(".")[0] for name in imports(module)[1]} & TALKERS == set()
    tree = ast.parse(MODULES[module].read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} - {"open"}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert names & READERS == set()
