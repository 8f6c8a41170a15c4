"""What the application is told of a request's head."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.server.scope import build_scope


def scope_of(target: bytes, app_state: dict[str, Any] | None = None) -> Any:
    return build_scope(
        {"type": "http", "client": ("192.0.2.1", 5)},
        version="1.1",
        method="GET",
        target=target,
        headers=[(b"host", b"a")],
        app_state=app_state or {},
    )


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        (b"/", "/", b"/", b""),
        (b"/a%2Fb?c=%20&d", "/a/b", b"/a%2Fb", b"c=%20&d"),
        (b"/a?b?c", "/a", b"/a", b"b?c"),
        (b"/a?", "/a", b"/a", b""),
    ],
)
def test_the_target_in_parts(target: bytes, path: str, raw_path: bytes, query: bytes):
    """H-03: the raw path and the query are as they were received; the path alone is decoded."""
    scope = scope_of(target)
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, raw_path, query)


def test_what_requests_of_a_connection_share():
    """Each has a scope and a state of its own all the same."""
    app_state = {"a": 1}
    one, two = scope_of(b"/", app_state), scope_of(b"/", app_state)
    assert one == two == one | {"client": ("192.0.2.1", 5), "method": "GET", "http_version": "1.1"}
    assert one is not two
    assert one["state"] is not app_state
    assert "state" not in scope_of(b"/")
