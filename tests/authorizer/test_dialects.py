"""The original request out of a gateway's: byte for byte, with its own fields alone."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.authorizer.dialects import READERS
from proxy.errors import BadRequest

BEARER = (b"authorization", b"Bearer a.b.c")
HOST = (b"host", b"api.example")
NGINX = [HOST, (b"x-original-method", b"PUT"), (b"x-original-uri", b"/a%20b?c=d&")]
FORWARD = [
    (b"host", b"authorizer:8070"),
    (b"x-forwarded-method", b"PUT"),
    (b"x-forwarded-proto", b"wss"),
    (b"x-forwarded-host", b"api.example"),
    (b"x-forwarded-uri", b"/a%20b?c=d&"),
]


def scope(
    path: bytes, fields: list[tuple[bytes, bytes]], query: bytes = b"", method: str = "GET"
) -> dict[str, Any]:
    return {"method": method, "scheme": "http", "raw_path": path, "query_string": query, "headers": fields}


@pytest.mark.parametrize(
    ("dialect", "asked", "scheme"),
    [
        ("envoy", scope(b"/envoy/a%20b", [HOST, BEARER], b"c=d&", "PUT"), "http"),
        ("nginx", scope(b"/nginx", [*NGINX, BEARER]), "http"),
        ("forward", scope(b"/forward", [*FORWARD, BEARER]), "https"),
    ],
)
def test_the_original(dialect: str, asked: dict[str, Any], scheme: str) -> None:
    """The gateway's own fields are gone; the rest are in their order."""
    original = READERS[dialect](asked)
    assert (original.method, original.target, original.scheme) == ("PUT", b"/a%20b?c=d&", scheme)
    assert list(original.fields) == [HOST, BEARER]


@pytest.mark.parametrize("proto", [b"", b"ftp", b"http,https", b"https "])
def test_a_scheme_that_is_none(proto: bytes) -> None:
    fields = [(name, proto if name == b"x-forwarded-proto" else value) for name, value in FORWARD]
    with pytest.raises(BadRequest):
        READERS["forward"](scope(b"/forward", fields))


@pytest.mark.parametrize("dialect", ["envoy", "nginx"])
def test_without_a_host_there_is_no_original(dialect: str) -> None:
    """HTTP/1.0 has none; the route might depend on it."""
    with pytest.raises(BadRequest, match="no host"):
        READERS[dialect](scope(b"/envoy/a", NGINX[1:]))
