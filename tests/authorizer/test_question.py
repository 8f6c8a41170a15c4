"""What is asked, by the path; what is wrong with it is told, not raised."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.authorizer.question import read_question

HOST = (b"host", b"api.example")


def scope(path: bytes, *fields: tuple[bytes, bytes]) -> dict[str, Any]:
    return {
        "method": "GET",
        "scheme": "http",
        "raw_path": path,
        "query_string": b"",
        "headers": [HOST, *fields],
    }


@pytest.mark.parametrize(
    ("path", "dialect", "code"),
    [
        (b"/envoy/orders", "envoy", None),
        (b"/healthz", "health", None),
        (b"/AuthorizationHeader/orders", "token", None),
        (b"/nginx", "nginx", "bad_request"),
        (b"/forward", "forward", "bad_request"),
        (b"/envoy", "", "no_route"),
        (b"/nginx/", "", "no_route"),
        (b"/", "", "no_route"),
    ],
)
def test_the_path_says_what_is_asked(path: bytes, dialect: str, code: str | None) -> None:
    question = read_question(scope(path))
    assert (question.dialect, question.fault and question.fault.code) == (dialect, code)


def test_the_scope_is_the_originals() -> None:
    fields = [(b"x-original-method", b"PUT"), (b"x-original-uri", b"/orders?a")]
    question = read_question(scope(b"/nginx", *fields))
    assert question.fault is None
    assert [question.scope[key] for key in ("method", "raw_path", "query_string", "headers")] == [
        *("PUT", b"/orders", b"a"),
        [HOST],
    ]
