"""The request target as it goes upstream."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.gateway.upstream_request import Route
from tests.support.compiled import interpreted


def build_route(path_rewrite: bytes | None) -> Route:
    fields: dict[str, Any] = dict.fromkeys(Route.__dataclass_fields__)
    return Route(**fields | {"path_rewrite": path_rewrite})


@pytest.mark.parametrize(
    ("rewrite", "rest", "target"),
    [
        (None, b"/a", b"/api/a?q"),
        (None, b"//a", b"/api//a?q"),
        (b"/v2", b"", b"/v2?q"),
        (b"/v2", b"/a", b"/v2/a?q"),
        (b"/v2", b"//evil.example/a", b"/v2//evil.example/a?q"),
        (b"", b"", b"/?q"),
        (b"", b"/", b"/?q"),
        (b"", b"/a//b", b"/a//b?q"),
        (b"", b"//evil.example/a", b"/evil.example/a?q"),
        (b"", b"////evil.example", b"/evil.example?q"),
        (b"", b"//", b"/?q"),
    ],
)
@interpreted
def test_what_a_prefix_is_replaced_by(rewrite, rest, target):
    """H-01: no rewriting makes a target that begins with two slashes, which redirects take for a host."""
    assert build_route(rewrite).target(b"/api" + rest, rest, b"?q") == target
