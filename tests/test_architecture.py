"""The house rules that a reader may rely on: pure modules stay pure, imports only point down."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "proxy"
FOREIGN_TO_PURE = {"asyncio", "httpx", "httptools", "socket", "starlette", "uvicorn"}

# From the bottom up; a module may import those on its own layer or below.
LAYERS = [
    {"errors", "clock", "pieces"},
    # Pure: values in, values out.
    {
        "answer", "authorization_code", "bearer", "breaker", "cache_key", "claims", "client_auth", "client_keys",
        "config", "differences", "dpop", "exchange_record", "failures", "forwarding", "headers", "introspection",
        "jose", "jwk", "jws", "logout_token", "metadata", "metrics", "oauth_errors", "percent_encoding",
        "presentation", "protected_resource", "rate_gate", "refusal_table", "refusals", "remedies", "revocation", "routes",
        "subject_token", "token_exchange", "trace_context", "verdicts", "withholding",
    },
    {
        "background", "bulkhead", "cache_entries", "exposition", "flights", "history", "logs", "loop_lag", "problem",
        "sealing", "shared_cache", "shared_codec", "shared_hearing", "shared_keys", "shared_revocations",
        "shared_store", "shared_stream", "shared_telling", "shared_tokens", "signing_keys", "sweep", "token_cache",
        "valkey_store",
    },
    {
        "access_tokens", "authorization_server", "credentials", "cross_site", "departures", "discovery", "downstream", "endpoint",
        "introspector", "lifetime", "outbound", "upstream", "verification", "websockets",
    },
    {"gateway", "documents", "outgoing", "server_timing", "tracing"},
    {"parts", "wiring"},
    {"diagnosis"},
    {"app", "admin"},
    {"server"},
    {"cli", "demo"},
]  # fmt: skip
PURE = LAYERS[1] - {"config"}
LAYER = {module: layer for layer, modules in enumerate(LAYERS) for module in modules}


def room_of(path: Path) -> str:
    """The module or folder directly under ``proxy/`` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[tuple[int, str]]:
    """``(level, module)`` of every import that is made at run time."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= (
                {(node.level, node.module)} if node.module else {(node.level, one.name) for one in node.names}
            )
        elif isinstance(node, ast.Import):
            found |= {(0, one.name) for one in node.names}
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "_version.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    """A module knows those below it, never those above."""
    room = room_of(path)
    if room == "__init__":
        return
    depth = len(path.relative_to(PACKAGE).parts)
    for level, module in imports_of(path):
        assert not (level == 0 and module.split(".")[0] == "proxy"), f"{module}: imports inside are relative"
        if level == depth:
            assert LAYER[module.split(".")[0]] <= LAYER[room], f"{room} imports {module} from above"


@pytest.mark.parametrize("module", sorted(PURE))
def test_pure_modules_do_no_io(module):
    """What only decides imports nothing that talks."""
    foreign = {name.split(".")[0] for level, name in imports_of(PACKAGE / f"{module}.py") if level == 0}
    assert not foreign & FOREIGN_TO_PURE
