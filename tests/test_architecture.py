"""The house rules that a reader may rely on: rooms in order, no circles, pure modules stay pure."""

from __future__ import annotations

import ast
import re

import pytest

from .architecture import (
    MODULES,
    PACKAGE,
    TESTS,
    circles,
    does_something,
    find_test_file,
    imports,
    modules_graph,
    room_of,
    rooms_graph,
)

# In the order of a request: each room depends only on those before it.
ROOMS = [
    "errors", "runtime", "jose", "http", "config", "websockets", "http2",
    "authentication", "downstream", "upstream", "exchange", "cache", "signals", "gateway", "authorizer",
    "observability", "parts", "wiring", "app",
    "diagnosis", "admin", "server", "demo", "cli",
]  # fmt: skip
PAGE = (TESTS.parent / "config" / "docs" / "architecture.md").read_text()
TALKERS = {"asyncio", "httpx", "httptools", "socket", "ssl", "starlette", "uvicorn"}
READERS = {"open", "read_bytes", "read_text"}
PURE = [
    module
    for module in MODULES
    if room_of(module) in {"errors", "jose", "http"}
    or module in {
        "authentication.binding", "authentication.claims", "authentication.dpop_proof",
        "authentication.introspection", "authentication.logout_token", "authentication.proof_nonces",
        "authentication.subject_token", "authentication.subject_identifier", "authentication.signal_token",
        "authentication.security_event", "authentication.global_revocation", "cache.key", "exchange.actors",
        "exchange.answer", "exchange.authorization_code", "exchange.authorization_details",
        "exchange.circuit_breaker", "exchange.dpop", "exchange.first_leg", "exchange.metadata",
        "exchange.oauth_errors", "exchange.okta_refusals", "exchange.rate_limit", "exchange.record",
        "exchange.token_exchange", "exchange.token_response", "exchange.token_types",
    }
]  # fmt: skip

# Modules without a test file of their own, and where they are tested instead.
TESTED_ELSEWHERE = {
    "http2.codec": "the port: its tests are those of ``http2.frame_codec``",
    "http2.options": "values: the codec's tests show them at work",
    "admin.answer": "values: the tests of ``admin.front`` and ``admin.refusal`` show them at work",
    "admin.site": "what is there: the tests of ``admin`` name each path",
    "server.workers.tally": "what is counted: the tests of ``server.workers.scrape`` show it read and added up",
    "cache.replicas": "values and ports: the tests of the shared cache show them at work",
    "server.deadlines": "what connections of all kinds have in common: the tests of each show it",
    "config.exposure": "one rule: the tests of ``config.rules`` and ``config.fixed`` show it",
    "gateway.own_paths": "the tests of what is published and of the receivers show it",
    "signals.record": "values: the receivers' tests show what is told",
    "upstream.reading": "what responses have in common: the tests of either version's responses show it",
    **dict.fromkeys(
        [
            "demo.__main__", "demo.certificates", "demo.clients", "demo.configuration", "demo.control", "demo.faults",
            "demo.form", "demo.listener", "demo.org", "demo.refusals", "demo.resource", "demo.signing", "demo.tenant",
            "demo.signals", "demo.tokens", "demo.welcome", "demo.wire", "demo.workloads",
        ],
        "a part of the demo's servers: each server's tests show its parts at work",
    ),
}  # fmt: skip
# Test files beside those of the modules: what several modules do together.
SUITES = {
    "cache/test_refused_tokens.py": "what was refused to one token of a session, and to the others",
    "cache/test_renewals.py": "renewals beside requests that go on",
    "cache/shared/test_first_tokens.py": "first tokens over replicas",
    "gateway/test_actors.py": "who acts, from caller to API",
    "gateway/test_challenges.py": "what a caller without a good token is told",
    "gateway/test_request_context.py": "tokens for one context, from caller to API",
    "gateway/test_token_places.py": "where tokens stand, from caller to API",
    "gateway/test_revoked_meanwhile.py": "a revocation between a verdict and its use",
    "authorizer/test_leftovers.py": "nothing is left of a question",
    "admin/test_shared_purge.py": "a purge over a shared cache, as the admin side tells of it",
    "gateway/test_client_certificates.py": "callers whose tokens are bound to their certificate",
    "gateway/test_http2_upstreams.py": "APIs that speak HTTP/2, from caller to API",
    "gateway/test_possession_replicas.py": "proofs over replicas and workers",
    "gateway/test_websocket_handshake.py": "how a websocket begins, or does not, from caller to API",
    "observability/test_canaries.py": "no credential in anything that is written",
    "observability/test_log_lines.py": "the lines of whole requests",
    "server/test_closed_connections.py": "nothing is left of a connection",
    "server/http2/test_abuse.py": "floods at the socket",
    "server/http2/test_closed_connections.py": "nothing is left of a connection of HTTP/2, nor of its streams",
    "server/http2/test_ports.py": "which ports speak HTTP/2, of a whole proxy",
    "server/http2/test_programs.py": "programs that people call with",
    "server/http2/test_grpc.py": "calls of gRPC's that are refused",
    "server/test_nagle.py": "everything is sent at once",
    "server/test_purge_over_replicas.py": "a purge over replicas that are processes",
    "server/test_signals_over_replicas.py": "signals over workers and replicas that are processes",
    "server/test_refusals.py": "what the server refuses, told everywhere",
    "server/test_slow_reading.py": "callers who read slowly",
    "server/test_websocket_freed.py": "nothing is left of a websocket",
    "upstream/test_closed_connections.py": "nothing is left of a connection",
    "upstream/test_streaming.py": "large bodies in little memory",
    "upstream/http2/test_closed_connections.py": "nothing is left of a request or a connection",
    "upstream/http2/test_programs.py": "upstreams that others have written",
    "signals/test_leftovers.py": "nothing is left of a signal",
    "test_architecture.py": "these rules",
    "test_benchmarks.py": "the benchmark",
    "test_cached_users.py": "what many cached users cost",
    "test_documents.py": "README and config/docs",
    "test_http2.py": "HTTP/2, from caller to API",
    "test_id_jag.py": "two legs, from caller to API",
    "test_main_job.py": "the main job, from caller to API",
    "test_refused_requests.py": "nothing is left of a refused request",
    "test_requirements.py": "the requirements",
    "test_rotation.py": "credentials that rotate",
    "test_scale.py": "the figures of scale",
    "test_slow_callers.py": "callers who send slowly",
    "test_streams.py": "streams, from caller to API",
    "test_wycheproof.py": "Project Wycheproof's vectors",
}


def test_every_room_has_its_place():
    """A new room is put into the order on purpose."""
    assert set(rooms_graph()) == set(ROOMS)


def test_imports_point_one_way():
    """A room knows those before it, never those after; inside the package imports are relative."""
    assert {module: wrong for module in MODULES if module and (wrong := find_wrong_imports(module))} == {}


def find_wrong_imports(module):
    ours, foreign = imports(module)
    known = ROOMS[: ROOMS.index(room_of(module)) + 1]
    return [one for one in ours if one and room_of(one) not in known] + [
        name for name in foreign if name.split(".")[0] == "proxy"
    ]


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


def test_a_module_has_its_tests_under_its_name():
    """``proxy/cache/key.py`` is tested by ``tests/cache/test_key.py``, or a table above says where."""
    doing = [module for module in MODULES if module and does_something(module)]
    assert [one for one in doing if find_test_file(one).exists() == (one in TESTED_ELSEWHERE)] == []


def test_a_test_file_is_a_modules_or_a_suite():
    """In a room, and beside the rooms, a file that names no module says above what it shows."""
    named = {find_test_file(module) for module in MODULES if module}
    files = [
        *TESTS.glob("test_*.py"),
        *(path for room in ROOMS for path in (TESTS / room).rglob("test_*.py")),
    ]
    suites = {str(path.relative_to(TESTS)) for path in files if path not in named}
    assert suites == set(SUITES)
    assert set(TESTED_ELSEWHERE) <= set(MODULES)


def test_the_page_has_the_rooms_in_their_order():
    """``config/docs/architecture.md``: its table, and its drawing."""
    table = PAGE.partition("## The rooms")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == ROOMS
    drawing = (TESTS.parent / "config" / "docs" / "architecture.svg").read_text()
    assert set(re.findall(r'class="t n"[^>]*>(\w+)/?<', drawing)) == set(ROOMS)


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:\w+/)*[\w-]+\.(?:py|md|json|yaml)|\w+/(?:\w+/)*)`", PAGE)))
)
def test_the_page_names_files_that_are_there(path):
    """Below ``proxy/``, or from the top where they say so."""
    assert (PACKAGE / path).exists() or (TESTS.parent / path).exists()
