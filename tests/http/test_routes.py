"""The route table: longest prefix on raw bytes, and no path that can be read two ways."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import NoRoute, PathRefused
from proxy.http.routes import Pattern, RouteTable

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


# The same upstream behind all: an open route, a guarded one, and one for all else.
BESIDE = table(
    (b"/public", None, ANY, "public"),
    (b"/orders", None, ANY, "orders"),
    (b"/orders/archive", None, ANY, "archive"),
    (b"/", None, ANY, "root"),
)
# fmt: off
LEADING_OUT = [
    # Dots and parameters, decoded once, twice and more often, in any order
    b"/public/..%3b/orders/1", b"/public/..%3B/orders/1", b"/public/%2e%2e%3b/orders/1",
    b"/public/%2e%2e%3bx=1/orders", b"/public/%2e%2e;/orders/1", b"/public/.%2e;v=1/orders", b"/public/.;/orders",
    b"/public/%2e%3b/orders", b"/public/..%253b/orders/1", b"/public/%252e%252e%253b/orders",
    b"/public/..%25253b/orders", b"/public/%25%32%65%25%32%65/orders/1", b"/public/%25%32%65%25%32%65%25%32%66orders",
    b"/public/%25%32%45./orders", b"/public/%%32%65%%32%65/orders", b"/public/%%32e%%32e/orders",
    b"/public/%2%65%2%65/orders", b"/public/%252e%252e/orders", b"/public/.%252e/orders", b"/public/%252E%2e/orders",
    b"/public/%25252e./orders", b"/public/%2525252e%2525252e/orders", b"/public/%252525252e%252525252e/orders",
    b"/public/%25%32%35%32%65./orders", b"/public/%2e%2e", b"/public/%252e", b"/public/..%3b",
    b"/public/x/%25%32%65/y",
    # What a reader that decodes first takes for a query or a fragment
    b"/public/..%3f/orders", b"/public/..%23/orders", b"/public/%2e%2e%3fa/orders", b"/public/..%253f/orders",
    b"/orders%3fa=b", b"/orders%23a", b"/orders%253fa", b"/orders/archive%3f", b"/orders/archive%2523x",
    # Slashes
    b"/public/..%2forders", b"/public/..%252forders", b"/public%2f..%2forders", b"/public%252forders",
    b"/public/%25%32%66/orders", b"/public/%25%32%46x", b"/public/a%2525252fb", b"/public/%%32%66b",
    b"/public/..%5corders", b"/public/..%255corders", b"/public/%25%35%63x", b"/public/%%35%63x",
    b"/public/..%c1%9corders",
    # Controls
    b"/public/..%00/orders", b"/public/%2500", b"/public/%25%30%30", b"/public/%%30%30", b"/public/%250d%250aX:y",
    b"/public/..%09/orders", b"/public/%2509", b"/public/%257f", b"/public/%250a", b"/public/..%0b/orders",
    # Overlong UTF-8, also when only decoded twice
    b"/public/%c0%ae%c0%ae/orders", b"/public/%25c0%25ae/orders", b"/public/%c0%25ae", b"/public/%e0%2580%ae/orders",
    b"/public/%25e0%80%ae/orders", b"/public/%f0%80%80%ae/orders", b"/public/%f8%80%80%80%ae",
    b"/public/%fc%80%80%80%80%ae", b"/public/%c0%af", b"/public/%25c1%259c", b"/public/%e0%9f%bf",
    # IIS
    b"/public/%u002e%u002e/orders", b"/public/%U002e./orders", b"/public/%25u002e", b"/public/%u2215orders",
    b"/public/%u%30%30%32e./orders",
    # Spaces and dots that some trim
    b"/public/..%20/orders", b"/public/..%20%20/orders", b"/public/%20../orders", b"/public/.%20/orders",
    b"/public/..%20;a/orders", b"/public/..%2520/orders", b"/public/%2e%2e%20/orders", b"/orders./1", b"/orders%20/1",
    b"/orders%20", b"/orders..%20/1", b"/%20orders/1", b"/.../orders", b"/orders.;a/1", b"/orders/archive./1",
    b"/orders/%20archive", b"/orders/archive%2520/1", b"/orders%2e/1", b"/orders%252e/1",
    # Another route once it is decoded, cut or merged
    b"/%6frders", b"/%256frders", b"/%25%36%66rders", b"//orders", b"/;x/orders", b"/%3bx/orders", b"/%253b/orders",
    b"/orders;v=1/2", b"/orders%3b", b"/orders%253bx/1", b"/orders/;/archive", b"/orders//archive",
    b"/orders/%61rchive", b"/orders/%2561rchive/1", b"/orders/archive;x", b"/orders/archive%3bx/1",
    b"/public/;/../orders",
    # More often encoded than anybody does
    b"/public/%25252525252525", b"/public/%2525252525252541",
]
PASSING = [
    b"/orders/a%20b", b"/orders/%C3%A9", b"/orders/caf%c3%a9", b"/orders/a%2Bb", b"/orders/a+b", b"/orders/a;v=1",
    b"/orders/a;v=1;w=2/b;c", b"/orders/100%25", b"/orders/100%25/x", b"/orders/100%2525", b"/orders/50%25up",
    b"/orders/%41%2541", b"/orders/%2541", b"/orders/a%3Ab", b"/orders/urn%3Aisbn%3A123", b"/orders/a%3Fb",
    b"/orders/a%23b", b"/orders/a%3Bb", b"/orders/a%253Bb", b"/orders/%253F", b"/orders/a%26b%3Dc", b"/orders/%40",
    b"/orders/%22%3C%3E", b"/orders/...", b"/orders/....", b"/orders/a.", b"/orders/a..", b"/orders/..a",
    b"/orders/.a", b"/orders/.well-known", b"/orders/a%2Eb", b"/orders/v1%2e2", b"/orders/a%20", b"/orders/%20a",
    b"/orders/%20", b"/orders/a%2520b", b"/orders/%E2%82%AC", b"/orders/%E0%B8%81", b"/orders/%F0%9F%98%80",
    b"/orders/%E4%B8%AD%E6%96%87", b"/orders/%FC", b"/orders/%EF%BC%8E%EF%BC%8E/a", b"/orders/%E2%88%95",
    b"/orders/%zz", b"/orders/%", b"/orders/100%", b"/orders/%4", b"/orders/%u", b"/orders/%ux", b"/orders/%25u",
    b"/orders/a%252Cb", b"/orders//a", b"/orders/a//", b"/orders/;a", b"/orders/%7B%22a%22%3A1%7D",
    b"/orders/https%3A", b"/orders/%252541",
]
# fmt: on


@pytest.mark.parametrize("path", LEADING_OUT)
def test_no_spelling_leads_out_of_its_route(path):
    """H-04: however often a reader decodes, and whatever it cuts, trims or merges before or after."""
    with pytest.raises(PathRefused):
        BESIDE.match(path, b"a", "GET")


@pytest.mark.parametrize("path", PASSING)
def test_what_is_encoded_without_need_passes(path):
    """H-03: an escape is refused only where what it stands for could mislead, not for being one, or for being two."""
    assert BESIDE.match(path, b"a", "GET") == ("orders", path[len(b"/orders") :])


@pytest.mark.parametrize(
    "path",
    [
        b"/" + b"a" * 8000 + b".", b"/a." * 2700, b"/" + b"." * 8000 + b"x", b"/%20" * 2000, b"/" + b" ." * 4000,
        b"/" + b"%20." * 2000, b"/;" * 4000, b"/" + b"%25" * 2700, b"/" + b"%252525" * 1100 + b"2541", b"/%3b" * 2000,
        b"/orders/" + b"%41" * 2600, b"/orders/" + b"%2541" * 1600, b"/" + b"-" * 8000 + b";", b"/x" + b"%e0" * 2600,
    ],
    ids=lambda path: path[:12],
)  # fmt: skip
def test_the_longest_paths_are_judged_at_once(path):
    """F-24: the work grows with the length alone."""
    began = time.process_time()
    with suppress(PathRefused, NoRoute):
        BESIDE.match(path, b"a", "GET")
    assert time.process_time() - began < 0.5  # a slow machine and coverage included


def test_the_tables_are_what_they_say():
    """Each spelling stands for one case."""
    assert len(LEADING_OUT) == len(set(LEADING_OUT)) >= 100
    assert not set(LEADING_OUT) & set(PASSING)


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
