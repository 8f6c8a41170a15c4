"""The route table: longest prefix on raw bytes, and no path that can be read two ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import NoRoute, PathRefused
from proxy.routes import Pattern, RouteTable

ANY: frozenset[str] = frozenset()


def table(*patterns: tuple[bytes, bytes | None, frozenset[str], str]) -> RouteTable[str]:
    return RouteTable([Pattern(path, host, methods, value) for path, host, methods, value in patterns])


TABLE = table(
    (b"/", None, ANY, "root"),
    (b"/orders", None, ANY, "orders"),
    (b"/orders/archive/", None, ANY, "archive"),
    (b"/orders", b"b.example", ANY, "orders-b"),
    (b"/reports", None, frozenset({"GET", "HEAD"}), "reports"),
)


@pytest.mark.parametrize(
    ("path", "host", "method", "value", "rest"),
    [
        (b"/", b"a", "GET", "root", b"/"),
        (b"/x", b"a", "GET", "root", b"/x"),
        (b"/orders", b"a", "GET", "orders", b""),
        (b"/orders/", b"a", "GET", "orders", b"/"),
        (b"/orders/7/lines", b"a", "GET", "orders", b"/7/lines"),
        (b"/ordersandmore", b"a", "GET", "root", b"/ordersandmore"),
        (b"/orders/archive", b"a", "GET", "archive", b""),
        (b"/orders/archive/1", b"a", "GET", "archive", b"/1"),
        (b"/orders/archived", b"a", "GET", "orders", b"/archived"),
        (b"/orders/7", b"b.example", "GET", "orders-b", b"/7"),
        (b"/reports/1", b"a", "GET", "reports", b"/1"),
        (b"/reports/1", b"a", "POST", "root", b"/reports/1"),
        (b"/a" * 4000, b"a", "GET", "root", b"/a" * 4000),
    ],
)
def test_longest_prefix_on_segment_boundaries_wins(path, host, method, value, rest):
    """The longest path wins, then the host, then the method; what follows the prefix is given as it is."""
    assert TABLE.match(path, host, method) == (value, rest)


def test_what_no_pattern_takes_has_no_route():
    """Without a catch-all, a path, host or method that nothing takes is a 404."""
    only = table((b"/orders", b"a", frozenset({"GET"}), "orders"))
    for path, host, method in [(b"/x", b"a", "GET"), (b"/orders", b"b", "GET"), (b"/orders", b"a", "PUT")]:
        with pytest.raises(NoRoute):
            only.match(path, host, method)


@pytest.mark.parametrize(
    "path",
    [
        b"/a/../b", b"/..", b"/.", b"/a/.", b"/a/./b", b"/%2e%2e/b", b"/%2E./b", b"/.%2e/b", b"/a/%2e",
        b"/..;/b", b"/a/..;x=1/b", b"/a%2fb", b"/a%2Fb", b"/a%5cb", b"/a\\b", b"/a%00b", b"/a\x00b",
        b"/a b", b"/a\tb", b"/a#b", b"/a?b", b"/\xc3\xa9", b"/%c0%ae%c0%ae/b", b"/%e0%80%ae/b", b"/%f0%80%80%ae",
        b"/a%0d%0ab", b"/%252e%252e/b", b"/a%252fb", b"/a%255cb", b"/a%2500b", b"/a%25252fb", b"/%u002e/b",
        b"/a%7fb", b"a", b"*", b"",
    ],
)  # fmt: skip
def test_a_path_that_readers_take_differently_is_refused(path):
    """H-04: dot segments, encoded slashes, backslashes, controls, overlong and doubly encoded ones end as 400."""
    with pytest.raises(PathRefused):
        TABLE.match(path, b"a", "GET")


@pytest.mark.parametrize(
    "path",
    [
        b"/%6frders",
        b"//orders",
        b"/orders;v=1/2",
        b"/;x/orders",
        b"///orders//1",
        b"/%6Frders;a",
        b"/orders%3b",
    ],
)
def test_a_path_that_is_another_routes_when_normalised_is_refused(path):
    """H-04: decoding, dropping parameters or merging slashes must not lead to another route."""
    with pytest.raises(PathRefused):
        TABLE.match(path, b"a", "GET")


@pytest.mark.parametrize(
    "path",
    [
        b"/orders/%zz", b"/orders//x//y", b"/orders/a;b=c", b"/orders/100%25", b"/orders/a%20b", b"/orders/%C3%A9",
        b"/orders/..a", b"/orders/a..b", b"/orders/...", b"/orders/a%3Fb", b"/orders/%23", b"/orders/(a)'!*$&+,=:@",
        b"/orders/\"<>^`{|}",
    ],
)  # fmt: skip
def test_what_reads_alike_goes_on_byte_for_byte(path):
    """H-03: an odd but unambiguous path is passed on as received."""
    assert TABLE.match(path, b"a", "GET") == ("orders", path[len(b"/orders") :])


@given(st.binary(max_size=60).map(lambda tail: b"/" + tail))
def test_any_bytes_are_matched_or_refused(path):
    """H-04: whatever arrives, the outcome is a route with the whole path or a refusal."""
    try:
        value, rest = TABLE.match(path, b"a", "GET")
    except PathRefused:
        return
    assert path.endswith(rest)
    assert value == "root" or path.startswith((b"/orders", b"/reports"))


@given(
    st.lists(
        st.sampled_from([b"/", b"a", b"..", b".", b"%2e", b"%2f", b"//", b"admin", b"%61", b";", b"\\"]),
        max_size=8,
    )
)
def test_no_spelling_reaches_a_route_that_a_normalising_upstream_would_not_see(parts):
    """H-04: on the open route, no spelling is passed that an upstream folds into the guarded one."""
    guarded = table((b"/", None, ANY, "open"), (b"/admin", None, ANY, "guarded"))
    path = b"/" + b"".join(parts)
    try:
        value, _ = guarded.match(path, b"a", "GET")
    except PathRefused:
        return
    names = [segment.partition(b";")[0] for segment in path.replace(b"%61", b"a").split(b"/")]
    segments = [name for name in names if name not in (b"", b".")]
    assert (value == "guarded") == (segments[:1] == [b"admin"])
