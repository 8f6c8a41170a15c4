"""What tells of the original is there once and well-formed, or it is a bad request."""

from __future__ import annotations

import pytest

from proxy.authorizer.original import Original, read_host, read_method, read_target, take_one, without
from proxy.errors import BadRequest, MethodNotAllowed


def test_one_field() -> None:
    fields = [(b"a", b"1"), (b"b", b"2"), (b"b", b"3")]
    assert take_one(fields, b"a") == b"1"
    for name, reason in ((b"b", "more than one b"), (b"c", "no c")):
        with pytest.raises(BadRequest, match=reason):
            take_one(fields, name)
    assert without(fields, (b"b",)) == [(b"a", b"1")]


@pytest.mark.parametrize("method", [b"", b"get", b"GET ", b"G\xc9T", b"-GET", b"A" * 33, b"GET\n"])
def test_methods_that_are_none(method: bytes) -> None:
    with pytest.raises(BadRequest):
        read_method(method)


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE"])
def test_methods_that_are_never_served(method: bytes) -> None:
    with pytest.raises(MethodNotAllowed):
        read_method(method)


@pytest.mark.parametrize(
    "target", [b"", b"*", b"a", b"http://a/b", b"/a b", b"/a#b", b"/\xc3\xa9", b"/a\x00", b"/a\n"]
)
def test_targets_that_are_none(target: bytes) -> None:
    with pytest.raises(BadRequest):
        read_target(target)


@pytest.mark.parametrize("target", [b"/", b"//a", b"/a?b?c", b"/%", b"/a\\b", b"/a;b|c{}"])
def test_targets_that_the_routes_judge(target: bytes) -> None:
    """They go on byte for byte."""
    assert read_target(target) == target


@pytest.mark.parametrize("host", [b"", b"a b", b"a,b", b"a/b", b"a@b", b"a:b", b"[::1", b"a\n"])
def test_hosts_that_are_none(host: bytes) -> None:
    with pytest.raises(BadRequest):
        read_host(host)


@pytest.mark.parametrize(
    ("target", "path", "query"), [(b"/a", b"/a", b""), (b"/a?b?c", b"/a", b"b?c"), (b"/a?", b"/a", b"")]
)
def test_the_scope_is_as_if_the_caller_had_asked(target: bytes, path: bytes, query: bytes) -> None:
    """All else of the connection stays."""
    original = Original("PUT", target, "https", [(b"host", b"a")])
    scope = original.build_scope({"method": "GET", "client": ("10.0.0.1", 1), "extensions": {"obo": 1}})
    assert scope == {
        "method": "PUT",
        "scheme": "https",
        "raw_path": path,
        "query_string": query,
        "headers": [(b"host", b"a")],
        "client": ("10.0.0.1", 1),
        "extensions": {"obo": 1},
    }
